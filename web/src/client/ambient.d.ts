// What the client needs of its surroundings; all of it is in every browser and in Node.
declare function setTimeout(run: () => void, ms: number): number;
declare function clearTimeout(timer: number | undefined): void;
declare const performance: { now(): number };
declare const crypto: { getRandomValues(bytes: Uint8Array): Uint8Array };
declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class WebSocket {
  constructor(url: string, protocol: string);
}
