import {
  DefaultFailureConverter,
  type PayloadConverter,
  type ProtoFailure,
  type SerializationContext,
} from '@temporalio/common';
import type { EncodedAttributes } from '../contract/foreign-payload.ts';

/**
 * Moves the message and the stack trace of a failure into a payload, so that the codec encrypts them. Only the `type`
 * stays readable in a history. The payload also has the type: workflows decide by the types of failures, and nobody else
 * can make such a payload (ADR 0059).
 */
class EncodingFailureConverter extends DefaultFailureConverter {
  constructor() {
    super({ encodeCommonAttributes: true });
  }

  override errorToFailure(
    error: unknown,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): ProtoFailure {
    const failure = super.errorToFailure(error, payloadConverter, context);
    if (!failure.encodedAttributes || !failure.applicationFailureInfo) return failure;
    const common = payloadConverter.fromPayload<EncodedAttributes>(failure.encodedAttributes, context);
    const attributes: EncodedAttributes = { ...common, type: failure.applicationFailureInfo.type ?? '' };
    return { ...failure, encodedAttributes: payloadConverter.toPayload(attributes, context) };
  }
}

/** A separate module, because Temporal loads the converter by its path, into clients and into the workflow bundle. */
export const failureConverter = new EncodingFailureConverter();
