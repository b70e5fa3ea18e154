import { Component, type ReactNode } from 'react';

interface ErrorBoundaryProps {
  /** Another key renders the children again after an error. */
  readonly resetKey: string;
  /** Shown after an error. */
  readonly fallback: ReactNode;
  readonly children: ReactNode;
}

/** Limits an error in its children to this part of the page. */
export class ErrorBoundary extends Component<ErrorBoundaryProps, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override componentDidUpdate({ resetKey }: ErrorBoundaryProps) {
    if (this.state.hasFailed && resetKey !== this.props.resetKey) this.setState({ hasFailed: false });
  }

  override render() {
    return this.state.hasFailed ? this.props.fallback : this.props.children;
  }
}
