import type { ReactNode, Ref } from 'react';
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components';

interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style' | 'children'> {
  readonly kind?: 'primary' | 'danger' | 'quiet' | 'plain';
  readonly isLarge?: boolean;
  readonly children: ReactNode;
  readonly ref?: Ref<HTMLButtonElement>;
}

/** Stays where it is and keeps the focus while what it has begun is pending. */
export const Button = ({ kind = 'plain', isLarge = false, ...props }: ButtonProps) => (
  <AriaButton {...props} className={`button ${kind}${isLarge ? ' large' : ''}`} />
);
