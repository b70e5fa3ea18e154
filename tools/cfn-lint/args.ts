/** Arguments of cfn-lint before the names of templates. */
export const cfnLintArgs = [
  ...['--regions', 'eu-central-1'],
  // CDK makes a Lambda wait for its role and the role's policies, although it refers to the role as well
  ...['--ignore-checks', 'W3005'],
  '--template',
];
