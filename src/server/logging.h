#pragma once
// Where the log goes: stderr or TERMINAL_LOG_DIR, and the errors alone to TERMINAL_ERROR_LOG.

#include "server/config.h"

namespace term::server {

/// The process's log from now on. Files are appended to, a line at a time in one write, so that the
/// two processes of a hand-over may have the same ones open. Each line of the error log has the
/// word ERROR; what is below the level of an error is not in it. Lines that cannot be written (a
/// full disk) are counted, and a line says how many once it can be written again. Errors: os_error
/// naming the file.
Result<void> set_up_logging(const Config& config);

/// SIGHUP, and after a rotation by rename: opens the files anew under their names. One that cannot
/// be opened stays as it is, and the log says so. Thread: any.
void reopen_logs();
/// A level of TERMINAL_LOG_LEVEL. Thread: any.
void set_log_level(const std::string& level);

}  // namespace term::server
