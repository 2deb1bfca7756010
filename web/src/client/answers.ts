// Which of the things that a terminal emits are its own answers, and not somebody's keys.

// DA, DSR, CPR, mode and window reports; then DECRQSS, XTVERSION, colours and clipboard in DCS or OSC;
// then focus reports, which a terminal sends by itself when a program switches them on.
const kControlReport = /^\x1b\[[?>=]?[\d;]*(?:\$y|[cnRt])$/;
const kStringReport = /^\x1b[P\]][^\x07\x1b]*(?:\x07|\x1b\\)$/;
const kFocusReport = /^\x1b\[[IO]$/;

/**
 * True for what a terminal says by itself when it parses a query. F3 with a modifier looks like a
 * cursor position report on row 1; that is the one key press that a replay can swallow.
 */
export function isTerminalAnswer(data: string): boolean {
  return kControlReport.test(data) || kStringReport.test(data) || kFocusReport.test(data);
}
