import { join } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { bundleLambdas } from '../lambda-bundle.ts';

/** All Lambdas in one folder, which is uploaded once: each is another file of it. Bundled at synthesis, without Docker. */
export const lambdaCode = (): Code =>
  Code.fromAsset(join(import.meta.dirname, '..', '..', 'lambdas'), {
    assetHashType: AssetHashType.OUTPUT, // nothing is deployed anew when what runs is the same
    bundling: {
      image: DockerImage.fromRegistry('none'), // has to be named, and is not used
      local: {
        tryBundle(outputDir) {
          bundleLambdas(outputDir);
          return true;
        },
      },
    },
  });
