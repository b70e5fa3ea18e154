import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { type ISource, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { buildCommand } from '../../console/build.ts';

const root = join(import.meta.dirname, '..', '..');

/** Builds the console with Vite during synthesis, without Docker. */
export const consolePage = (): ISource =>
  Source.asset(join(root, 'console'), {
    assetHashType: AssetHashType.OUTPUT, // unchanged output is not deployed again
    bundling: {
      image: DockerImage.fromRegistry('none'), // required, but not used
      local: {
        tryBundle(outputDir) {
          const { command, args, env } = buildCommand(outputDir);
          execFileSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] }); // stdout belongs to cdk
          return true;
        },
      },
    },
  });
