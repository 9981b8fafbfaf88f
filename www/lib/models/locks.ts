/**
 * One lock per stored file, across all tabs: held by the one who writes or deletes it, shared by those who read it. A tab
 * that dies lets go.
 */

const nameOf = (key: string) => `imagen-file:${key}`;

/** Files that this tab itself has to write. */
const own = new Set<string>();

/** For what several tabs must not do at once to the list of models. */
export function alone<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request("imagen-models", work) : work();
}

/** Runs `work` when nobody else has the file; `waits` is called first where another tab has. */
export async function writing<T>(
  key: string,
  signal: AbortSignal,
  waits: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const result = await ifFree(key, work);
  if (result) return result.value;
  if (!own.has(key)) waits();
  // The lock's type takes the promise for the value.
  return (await navigator.locks.request(nameOf(key), { signal }, () => owning(key, work))) as T;
}

async function owning<T>(key: string, work: () => Promise<T>): Promise<T> {
  own.add(key);
  try {
    return await work();
  } finally {
    own.delete(key);
  }
}

/** Runs `work` if nobody else has the file; else returns nothing at once. */
export async function ifFree<T>(key: string, work: () => Promise<T>): Promise<{ value: T } | undefined> {
  // A page over plain http has neither locks nor storage that tabs could share.
  if (!navigator.locks) return { value: await work() };
  const result = await navigator.locks.request(nameOf(key), { ifAvailable: true }, async (lock) =>
    lock ? { value: await owning(key, work) } : undefined,
  );
  return result as { value: T } | undefined;
}

/** Keeps others from writing or deleting the file until the returned function is called, which resolves when they may. */
export function reading(key: string): Promise<() => Promise<void>> {
  if (!navigator.locks) return Promise.resolve(async () => {});
  return new Promise((resolve, reject) => {
    const held = (letGo: () => void) => {
      resolve(async () => {
        letGo();
        await done;
      });
    };
    const done = navigator.locks.request(nameOf(key), { mode: "shared" }, () => new Promise<void>(held));
    done.catch(reject);
  });
}
