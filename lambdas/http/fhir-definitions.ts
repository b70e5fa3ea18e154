import type { CodeSystem } from 'fhir/r4.js';
import {
  codeSystem,
  codeSystems as domainCodeSystems,
  structureDefinitions,
} from '../../core/domain/fhir/definitions.ts';
import { type ProblemName, problems } from './problems.ts';

export { structureDefinitions };

/** All our code systems that answers in FHIR use. */
export const codeSystems: readonly CodeSystem[] = [
  ...domainCodeSystems,
  codeSystem(
    'problem',
    'Problem',
    Object.fromEntries((Object.keys(problems) as ProblemName[]).map((name) => [name, `${problems[name].title}.`])),
  ),
];
