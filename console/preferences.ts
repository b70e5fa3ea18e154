/** Stores the user's choices in localStorage. If that is unavailable, a choice lasts until the page is left. */
export const preferences = {
  read(name: string): string | null {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // the browser denies access
    }
  },
  write(name: string, value: string): void {
    try {
      localStorage.setItem(name, value);
    } catch {
      // the browser denies access, or the storage is full
    }
  },
};
