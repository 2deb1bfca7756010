#include "store/scrollback.h"

#include <zlib.h>

#include <new>

#include "store/store.h"

namespace term::store {

Scrollback pack(std::string_view bytes, Offset next) {
  if (bytes.size() > kMaxScrollback) bytes = bytes.substr(bytes.size() - kMaxScrollback);
  Scrollback made{.first = next - bytes.size(), .next = next, .packed = {}};
  uLongf size = ::compressBound(bytes.size());
  made.packed.resize(size);
  // The fastest: terminal output shrinks well anyway, and this is done over and over.
  const int done =
      ::compress2(reinterpret_cast<Bytef*>(made.packed.data()), &size,
                  reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_BEST_SPEED);
  if (done != Z_OK) throw std::bad_alloc();  // It fails for nothing else.
  made.packed.resize(size);
  return made;
}

Result<std::string> unpack(const Scrollback& scrollback) {
  const Error damaged{Errc::bad_snapshot, "scrollback: damaged, or not as long as its offsets say"};
  if (scrollback.next < scrollback.first || scrollback.next - scrollback.first > kMaxScrollback)
    return damaged;
  std::string bytes(scrollback.next - scrollback.first, '\0');
  uLongf size = bytes.size();
  // zlib wants a place to write to even for nothing.
  Bytef nothing = 0;
  const int done = ::uncompress(bytes.empty() ? &nothing : reinterpret_cast<Bytef*>(bytes.data()),
                                &size, reinterpret_cast<const Bytef*>(scrollback.packed.data()),
                                scrollback.packed.size());
  if (done != Z_OK || size != bytes.size()) return damaged;
  return bytes;
}

}  // namespace term::store
