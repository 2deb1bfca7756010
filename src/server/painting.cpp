#include "server/painting.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "session/painter.h"

namespace term::server {

namespace {

/// What an attempt may paint from. The last always comes in time: it shows what comes from now on.
constexpr std::size_t kNewestBytes = std::size_t{128} * 1024;
constexpr std::size_t kHurriedBytes = std::size_t{16} * 1024;

std::string paint(const PaintRequest& request) {
  try {
    if (request.attempt < 1) {
      return paint_newest(request.bytes, request.at_begin, request.size,
                          {.main = kNewestBytes, .alternate = request.bytes.size()});
    }
    const std::size_t most = request.attempt < 3 ? kNewestBytes : kHurriedBytes;
    return paint_newest(request.bytes, request.at_begin, request.size,
                        {.main = most, .alternate = most});
  } catch (const std::exception& e) {
    spdlog::error("paint.failed bytes={} ERROR {}", request.bytes.size(), e.what());
    return soft_reset();
  }
}

}  // namespace

PaintThread::~PaintThread() {
  pool_.stop();
  pool_.join();
}

bool PaintThread::paint(PaintRequest request, const boost::asio::any_io_executor& executor,
                        std::function<void(std::string)> done) {
  if (waiting_.fetch_add(1) >= kMostWaiting) {
    waiting_.fetch_sub(1);
    return false;
  }
  boost::asio::post(pool_, [this, request = std::move(request), executor,
                            done = std::move(done)]() mutable {
    std::string painting = server::paint(request);
    waiting_.fetch_sub(1);
    boost::asio::post(executor, [done = std::move(done), painting = std::move(painting)]() mutable {
      done(std::move(painting));
    });
  });
  return true;
}

}  // namespace term::server
