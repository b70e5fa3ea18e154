import { join } from 'node:path';
import { IgnoreMode } from 'aws-cdk-lib';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';

const root = join(import.meta.dirname, '..', '..');

/** The worker's image of worker/Dockerfile, built when it is deployed, and the hash of all that it is made of: its build ID for Temporal. */
export function workerImage(scope: Construct): WorkerImage {
  const asset = new DockerImageAsset(scope, 'Image', {
    directory: root,
    file: 'worker/Dockerfile',
    platform: Platform.LINUX_ARM64,
    ignoreMode: IgnoreMode.DOCKER, // .dockerignore: what is not in the image does not make a new one
  });
  const { assetHash, repository } = asset;
  return {
    image: ContainerImage.fromDockerImageAsset(asset),
    repositoryArn: repository.repositoryArn,
    buildId: assetHash.slice(0, 16),
  };
}

export interface WorkerImage {
  readonly image: ContainerImage;
  readonly repositoryArn: string;
  readonly buildId: string;
}
