import { Component, type ReactNode } from 'react';

interface ErrorBoundaryProps {
  /** where this is: what has failed is tried anew elsewhere */
  readonly resetKey: string;
  /** what stands there instead once something within has failed */
  readonly fallback: ReactNode;
  readonly children: ReactNode;
}

/** What fails within it takes nothing else from the page. */
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
