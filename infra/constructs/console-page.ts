import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { type ISource, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { buildCommand } from '../../console/build.ts';

const root = join(import.meta.dirname, '..', '..');

/** The console as Vite builds it, at synthesis, without Docker. */
export const consolePage = (): ISource =>
  Source.asset(join(root, 'console'), {
    assetHashType: AssetHashType.OUTPUT, // nothing is deployed anew when what is shown is the same
    bundling: {
      image: DockerImage.fromRegistry('none'), // has to be named, and is not used
      local: {
        tryBundle(outputDir) {
          const { command, args, env } = buildCommand(outputDir);
          execFileSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] }); // stdout is cdk's own
          return true;
        },
      },
    },
  });
