#include "store/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace term::store {

namespace {

/// So much is written between two looks at what is free.
constexpr std::uint64_t kLookEvery = 32ULL * 1024 * 1024;

Error failed(const char* what, const std::filesystem::path& directory) {
  return {Errc::os_error, std::string("cannot ") + what + " the spool file in " +
                              directory.string() + ": " + std::generic_category().message(errno)};
}

}  // namespace

Result<Spool> Spool::open(const std::filesystem::path& directory) {
  Spool spool;
  spool.directory_ = directory;
  spool.fd_.reset(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));  // NOLINT
  if (!spool.fd_ && (errno == EOPNOTSUPP || errno == EISDIR)) {  // As some file systems have it.
    std::string name = (directory / "spool-XXXXXX").string();
    spool.fd_.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (spool.fd_) (void)::unlink(name.c_str());
  }
  if (!spool.fd_) return failed("make", directory);
  return spool;
}

Result<void> Spool::check_room() {
  struct statvfs room{};
  if (::fstatvfs(fd_.get(), &room) != 0) return failed("look after", directory_);
  const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
  if (free < kKeepFree + kLookEvery)
    return Error{Errc::os_error, "the document is too large for " + directory_.string() + ": " +
                                     std::to_string(free >> 20U) +
                                     " MiB are free there, and 256 MiB have to stay free"};
  checked_until_ = end_ + kLookEvery;
  return {};
}

Result<Spool::Place> Spool::append(std::string_view bytes) {
  const Place place{end_, bytes.size()};
  while (!bytes.empty()) {
    if (end_ >= checked_until_)
      if (auto room = check_room(); !room) return room.error();
    const auto n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(end_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write", directory_);
    end_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return place;
}

Result<std::string> Spool::read(Place place) const {
  std::string bytes(place.size, '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n = ::pread(fd_.get(), bytes.data() + have, bytes.size() - have,
                           static_cast<off_t>(place.offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;
    if (n <= 0) return failed("read", directory_);
    have += static_cast<std::size_t>(n);
  }
  return bytes;
}

}  // namespace term::store
