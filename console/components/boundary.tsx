import { Component, type ReactNode } from 'react';

interface BoundaryProps {
  /** where this is: what has failed is tried anew elsewhere */
  readonly place: string;
  /** what stands there instead once something within has failed */
  readonly instead: ReactNode;
  readonly children: ReactNode;
}

/** What fails within it takes nothing else from the page. */
export class Boundary extends Component<BoundaryProps, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override componentDidUpdate({ place }: BoundaryProps) {
    if (this.state.hasFailed && place !== this.props.place) this.setState({ hasFailed: false });
  }

  override render() {
    return this.state.hasFailed ? this.props.instead : this.props.children;
  }
}
