export { isTerminalAnswer } from './answers';
export { Backoff } from './backoff';
export { readClose } from './close_codes';
export { TerminalClient } from './client';
export type { ClientEvents, ClientOptions, ClientState, Socket } from './options';
export { InputLog } from './input_log';
export { OutputCursor } from './output_cursor';
export type { Engines, Exit, Gap, Notice, NoticeKind, Problem, SessionRecord, Status, Tier } from './protocol';
