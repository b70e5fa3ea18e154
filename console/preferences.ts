/** What the reader has chosen, kept by the browser; where it keeps nothing, it is as if they had not chosen. */
export const preferences = {
  read(name: string): string | null {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // the browser forbids it
    }
  },
  write(name: string, value: string): void {
    try {
      localStorage.setItem(name, value);
    } catch {
      // the choice holds until the page is left
    }
  },
};
