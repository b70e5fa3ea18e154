import { join } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { bundleLambdas } from '../lambda-bundle.ts';

/**
 * Bundles all Lambdas into one folder during synthesis, without Docker. The folder is uploaded once; each Lambda is a
 * file in it.
 */
export const lambdaCode = (): Code =>
  Code.fromAsset(join(import.meta.dirname, '..', '..', 'lambdas'), {
    assetHashType: AssetHashType.OUTPUT, // unchanged output is not deployed again
    bundling: {
      image: DockerImage.fromRegistry('none'), // required, but not used
      local: {
        tryBundle(outputDir) {
          bundleLambdas(outputDir);
          return true;
        },
      },
    },
  });
