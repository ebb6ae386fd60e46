// Scripts that no page needs to join. Bundlers may put each into a file of its own, which may be missing where they are deployed.

import { WarrenError } from './errors.ts';

/** What an `import()` gives, or why a call that needs it cannot be done: `what` names the script. */
export function later<T>(script: Promise<T>, what: string): Promise<T> {
  return script.catch((cause: unknown) => {
    throw new WarrenError('ENGINE_LOAD_FAILED', `The script for ${what} could not be loaded.`, {
      remedy: 'Deploy all files of the build, then try again.',
      retryable: true,
      cause,
    });
  });
}
