import type { ReactNode, Ref } from 'react';
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components';

interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style' | 'children'> {
  readonly kind?: 'primary' | 'danger' | 'quiet' | 'plain';
  readonly isLarge?: boolean;
  readonly children: ReactNode;
  readonly ref?: Ref<HTMLButtonElement>;
}

/** A button that keeps its place and the focus while `isPending`. */
export const Button = ({ kind = 'plain', isLarge = false, ...props }: ButtonProps) => (
  <AriaButton {...props} className={`button ${kind}${isLarge ? ' large' : ''}`} />
);
