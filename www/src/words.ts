/** What is said to the user: in the page's language, or as the engine words it, which is English. */

export interface Words {
  text: () => string;
  /** Comes from the engine, so a screen reader should read it as English. */
  foreign: boolean;
}

export function own(text: () => string): Words {
  return { text, foreign: false };
}

export function foreign(message: string): Words {
  return { text: () => sentence(message), foreign: true };
}

/** What the store of models says, which often begins with a name. */
export function asSaid(message: string): Words {
  return { text: () => message, foreign: true };
}

/** Rust's messages begin in lower case, to be read behind a program's name; names and addresses stay as they are. */
export function sentence(message: string): string {
  const text = message.replace(/^[a-z](?=[a-z]*(?:[ ,]|: ))/, (letter) => letter.toUpperCase());
  return /[.!?)]$/.test(text) ? text : `${text}.`;
}
