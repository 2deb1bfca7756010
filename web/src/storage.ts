// What the browser remembers between visits. A browser that refuses storage only forgets.

export function load<T>(key: string, fallback: T, area: () => Storage = () => localStorage): T {
  try {
    const text = area().getItem(key);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

export function save(key: string, value: unknown, area: () => Storage = () => localStorage): void {
  try {
    area().setItem(key, JSON.stringify(value));
  } catch {
    // full or forbidden
  }
}

const kTokenKey = 'terminal.token';

/** The access token, kept for this browser tab only. */
export const token = {
  get: (): string => load(kTokenKey, '', () => sessionStorage),
  set: (value: string): void => save(kTokenKey, value, () => sessionStorage),
};
