/** Messages begin in lower case, to be read behind a program's name; names and addresses at their beginning stay as they are. */
export function sentence(message: string): string {
  const text = message.replace(/^[a-z](?=[a-z]*(?:[ ,]|: ))/, (letter) => letter.toUpperCase());
  return /[.!?)]$/.test(text) ? text : `${text}.`;
}
