import { join } from 'node:path';
import { IgnoreMode } from 'aws-cdk-lib';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';

const root = join(import.meta.dirname, '..', '..');

/**
 * Returns the worker's image, which is built from worker/Dockerfile during deployment, and its build ID for Temporal:
 * the hash of its sources.
 */
export function workerImage(scope: Construct): WorkerImage {
  const asset = new DockerImageAsset(scope, 'Image', {
    directory: root,
    file: 'worker/Dockerfile',
    platform: Platform.LINUX_ARM64,
    ignoreMode: IgnoreMode.DOCKER, // respects .dockerignore, so that ignored files do not change the hash
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
