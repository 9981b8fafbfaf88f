/** What a field holds when it tells that it changed. */

export function fieldText(event: Event): string {
  return (event.currentTarget as HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement).value;
}
