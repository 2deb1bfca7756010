// Who may start with a state directory: nobody beside a running service, and not before the last
// one has gone.

#include "server/state_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>

#include "support/service_process.h"
#include "support/state_dir.h"

namespace term::test {
namespace {

std::filesystem::path service_program() {
  return holder_program().parent_path() / "terminal-service";
}

TEST(StateDirectory, IsWaitedForWhileTheProcessBeforeEnds) {
  ServiceProcess service({.binary = service_program()});
  std::filesystem::create_directories(service.state());
  // What service.json says of one that was killed: a process that is no service, or none any more.
  std::ofstream(service.state() / "service.json") << R"({"pid": )" << ::getpid() << "}";
  UniqueFd before(::open((service.state() / "service.lock").c_str(),  // NOLINT
                         O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(before.get(), LOCK_EX | LOCK_NB), 0);
  service.start();
  ASSERT_TRUE(until([&] { return service.log().find("service.waiting") != std::string::npos; }))
      << service.log();
  before.reset();
  EXPECT_TRUE(service.wait_ready()) << service.log();
}

TEST(StateDirectory, OfARunningServiceIsRefused) {
  ServiceProcess service({.binary = service_program()});
  service.start();
  ASSERT_TRUE(service.wait_ready()) << service.log();
  EXPECT_EQ(server::running_service(service.state()), service.pid());
  const auto second = server::lock_state_dir(service.state());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::os_error);
  EXPECT_NE(second.error().detail.find("another service uses"), std::string::npos)
      << second.error().detail;

  ASSERT_TRUE(service.terminate());
  EXPECT_EQ(server::running_service(service.state()), 0);
  EXPECT_TRUE(server::lock_state_dir(service.state()));
}

}  // namespace
}  // namespace term::test
