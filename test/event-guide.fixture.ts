import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const guide = readFileSync(join(dirname(import.meta.dirname), 'docs', 'guides', 'events.md'), 'utf8');

/** Returns the block of the guide to events that begins with a comment, word for word. */
export function blockOf(language: 'yaml' | 'js', comment: string): string {
  const [, block] = new RegExp(`^\`\`\`${language}\n(${comment}\n.*?)^\`\`\``, 'ms').exec(guide) ?? [];
  if (block === undefined) throw new Error(`the guide has no block ${comment}`);
  return block;
}

const indented = (block: string): string => block.replace(/^(?=.)/gm, '  ');

/** The queue that the guide takes for granted. */
const failures = `
Failures:
  Type: AWS::SQS::Queue
FailuresPolicy:
  Type: AWS::SQS::QueuePolicy
  Properties:
    Queues: [!Ref Failures]
    PolicyDocument:
      Version: '2012-10-17'
      Statement:
        - Effect: Allow
          Principal: { Service: events.amazonaws.com }
          Action: sqs:SendMessage
          Resource: !GetAtt Failures.Arn
          Condition:
            ArnEquals: { aws:SourceArn: !GetAtt Rule.Arn }
`;

/** The Lambda that the guide takes for granted. @param url gets each event as the body of a POST */
const sender = (url: string): string => `
Role:
  Type: AWS::IAM::Role
  Properties:
    AssumeRolePolicyDocument:
      Version: '2012-10-17'
      Statement:
        - Effect: Allow
          Principal: { Service: lambda.amazonaws.com }
          Action: sts:AssumeRole
Function:
  Type: AWS::Lambda::Function
  Properties:
    Runtime: nodejs24.x
    Handler: index.handler
    Role: !GetAtt Role.Arn
    Code:
      ZipFile: |
        exports.handler = async (event) => {
          await fetch('${url}', { method: 'POST', body: JSON.stringify(event) });
        };
`;

/** Returns the guide's rule for a Lambda in a complete template. */
export const lambdaTemplate = (url: string): string =>
  `Resources:${indented(failures + sender(url) + blockOf('yaml', '# resources for a Lambda'))}`;

/** Returns the guide's rule for an API destination in a complete template. */
export const apiDestinationTemplate = (): string =>
  `Resources:${indented(failures + blockOf('yaml', '# resources for an API destination'))}`;
