#include "store/scrollback.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <new>
#include <stdexcept>

#include "store/store.h"

namespace term::store {

namespace {

/// The window that `size` bytes need, as deflateInit2() wants it: 9 to 15.
int window_bits(std::size_t size) {
  return std::clamp(static_cast<int>(std::bit_width(size)), 9, 15);
}

}  // namespace

Scrollback pack(std::string_view bytes, Offset next) {
  if (bytes.size() > kMaxScrollback) bytes = bytes.substr(bytes.size() - kMaxScrollback);
  Scrollback made{.first = next - bytes.size(), .next = next, .packed = {}};
  z_stream stream{};
  // The fastest: terminal output shrinks well anyway, and this is done over and over. A prompt does
  // not take the 256 KiB of tables that a full ring is worth.
  const int bits = window_bits(bytes.size());  // With 15 zlib's default of memory is 8.
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, bits, bits - 7, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();  // It fails for nothing else.
  made.packed.resize(::deflateBound(&stream, bytes.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // It only reads.
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(made.packed.data());
  stream.avail_out = static_cast<uInt>(made.packed.size());
  if (::deflate(&stream, Z_FINISH) != Z_STREAM_END)
    throw std::logic_error("deflate: deflateBound() was too small");
  made.packed.resize(stream.total_out);
  made.packed.shrink_to_fit();  // It may wait for a database for long.
  (void)::deflateEnd(&stream);
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
