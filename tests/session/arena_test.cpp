// The memory that outlives the service: claimed, released, sealed, found again.

#include "session/arena.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <thread>

#include "support/staged_terminal.h"

namespace term {
namespace {

std::unique_ptr<Arena> make(std::uint32_t slots, std::size_t ring = 4096) {
  return Arena::create(slots, ring).value();
}
UniqueFd duplicate(const Arena& arena) { return UniqueFd(::dup(arena.fd())); }
/// What the arena takes of memory, in bytes.
std::size_t resident(const Arena& arena) {
  struct stat status{};
  return ::fstat(arena.fd(), &status) == 0 ? static_cast<std::size_t>(status.st_blocks) * 512 : 0;
}
bool all_zero(std::span<const char> bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c == 0; });
}
const auto everybody = [](std::string_view) { return true; };
const auto nobody = [](std::string_view) { return false; };

UniqueFd memory(const std::string& content, std::size_t bytes) {
  UniqueFd fd(::memfd_create("foreign", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(::pwrite(fd.get(), content.data(), content.size(), 0),
            static_cast<ssize_t>(content.size()));
  return fd;
}

#ifdef TERM_CAN_STEP
/// In a child that is killed after so many changes; true when it got through.
bool take_an_entry_and_be_killed(const test::StagedTerminal& world, int changes) {
  const auto watch = std::make_unique<test::Watched>(world);
  const pid_t child = ::fork();
  if (child == 0) {
    test::kill_when_stepped(changes, watch.get());
    (void)world.slot().client("a-new-client", 77'000, [](std::string_view id) {
      if (id == "client-200") test::begin_stepping();
      return id != "client-200";
    });
    test::end_stepping();
    ::_exit(0);
  }
  return test::survives(child);
}

TEST(ArenaClients, KilledWhileAnEntryChangesHandsGivesNobodySomebodyElsesOffset) {
  for (int changes = 1;; ++changes) {
    const test::StagedTerminal world;
    const ArenaSlot slot = world.slot();
    for (std::size_t i = 0; i < SlotHeader::kClients; ++i)
      ASSERT_NE(slot.client("client-" + std::to_string(i), i, everybody), nullptr);
    const auto gone = [](std::string_view id) { return id != "client-200"; };
    const bool whole = take_an_entry_and_be_killed(world, changes);
    for (const auto& [id, written] : slot.clients()) {
      if (id == "a-new-client")
        ASSERT_EQ(written, 77'000U) << changes;
      else
        ASSERT_EQ(id, "client-" + std::to_string(written)) << changes;
    }
    ASSERT_GE(slot.clients().size(), SlotHeader::kClients - 1);
    // Whatever it left: everybody keeps the own entry, and the new one gets one.
    const ArenaClient* last = slot.client("client-255", 255, everybody);
    ASSERT_NE(last, nullptr) << changes;
    ASSERT_EQ(last->written.load(), 255U) << changes;
    ASSERT_EQ(
        std::ranges::count(slot.clients(), "client-255", &std::pair<std::string, Offset>::first), 1)
        << changes;
    ASSERT_NE(slot.client("a-new-client", 77'000, gone), nullptr) << changes;
    if (whole) return;
  }
}
#endif

TEST(ArenaClients, EachHasAnEntryThatIsFoundAgain) {
  auto arena = make(2);
  const ArenaSlot slot = arena->slot(1);
  ArenaClient* first = slot.client("first", 17, everybody);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->written.load(), 17U);
  first->written.store(40);
  ASSERT_NE(slot.client("second", 0, everybody), nullptr);
  EXPECT_EQ(slot.client("first", 99, everybody), first);
  EXPECT_EQ(first->written.load(), 40U);
  const std::string longest(128, 'n');
  ASSERT_NE(slot.client(longest, 5, everybody), nullptr);
  EXPECT_EQ(slot.client(longest + "n", 5, everybody), nullptr);
  EXPECT_EQ(slot.client("", 5, everybody), nullptr);
  const std::vector<std::pair<std::string, Offset>> expected{
      {"first", 40}, {"second", 0}, {longest, 5}};
  EXPECT_EQ(slot.clients(), expected);
  EXPECT_TRUE(arena->slot(0).clients().empty());
}

TEST(ArenaClients, ThatAreInUseAreNotDisplaced) {
  auto arena = make(1);
  const ArenaSlot slot = arena->slot(0);
  for (std::size_t i = 0; i < SlotHeader::kClients; ++i)
    ASSERT_NE(slot.client("c" + std::to_string(i), i, everybody), nullptr) << i;
  EXPECT_EQ(slot.client("late", 1, everybody), nullptr);
  ArenaClient* taken = slot.client("late", 1, [](std::string_view id) { return id != "c200"; });
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken - slot.header().clients, 200);
  EXPECT_EQ(slot.clients().size(), SlotHeader::kClients);
  EXPECT_NE(slot.client("later", 2, nobody), nullptr);
}

TEST(Arena, GivesEachSlotToOneOfManyThreads) {
  constexpr std::uint32_t kSlots = 130;  // Neither a power of two nor a multiple of 64.
  auto arena = make(kSlots);
  std::vector<std::vector<std::uint32_t>> got(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : got)
      threads.emplace_back([&] {
        for (int round = 0; round < 50; ++round) {
          while (mine.size() < 40) {
            const auto slot = arena->claim();
            if (!slot) break;
            mine.push_back(slot->index());
          }
          while (mine.size() > static_cast<std::size_t>(round % 30)) {
            arena->release(mine.back());
            mine.pop_back();
          }
        }
        while (const auto slot = arena->claim()) mine.push_back(slot->index());
      });
  }
  std::set<std::uint32_t> all;
  std::size_t count = 0;
  for (const auto& mine : got) {
    all.insert(mine.begin(), mine.end());
    count += mine.size();
  }
  EXPECT_EQ(count, kSlots);
  EXPECT_EQ(all.size(), kSlots);
  EXPECT_EQ(*all.rbegin(), kSlots - 1);
  EXPECT_FALSE(arena->claim());
}

TEST(Arena, GivesAKnownSlotOnce) {
  auto arena = make(3);
  EXPECT_TRUE(arena->claim(1));
  EXPECT_FALSE(arena->claim(1));
  EXPECT_FALSE(arena->claim(3));
  EXPECT_FALSE(arena->claim(4'000'000'000U));
  EXPECT_EQ(arena->claim()->index(), 0U);
  EXPECT_EQ(arena->claim()->index(), 2U);
  EXPECT_FALSE(arena->claim());
  arena->release(1);
  EXPECT_EQ(arena->claim()->index(), 1U);
}

TEST(Arena, IsFoundAgainByteForByteThroughItsDescriptor) {
  auto arena = make(5, 10'000);
  EXPECT_EQ(arena->ring_bytes(), 12'288U) << "not rounded up to a page";
  const ArenaSlot slot = arena->slot(4);
  ASSERT_TRUE(slot.books().write("its books"));
  ASSERT_TRUE(arena->service_books().write("the service's"));
  slot.header().next.store(12345);
  std::memset(slot.ring().data(), '\xFF', slot.ring().size());
  arena->staging(63).output_base.store(7);
  ASSERT_NE(slot.client("c", 9, everybody), nullptr);

  const auto again = Arena::open(duplicate(*arena)).value();
  EXPECT_EQ(again->slots(), 5U);
  EXPECT_EQ(again->ring_bytes(), 12'288U);
  EXPECT_EQ(again->slot(4).books().read(), "its books");
  EXPECT_EQ(again->service_books().read(), "the service's");
  EXPECT_EQ(again->slot(4).header().next.load(), 12345U);
  EXPECT_EQ(std::ranges::count(again->slot(4).ring(), '\xFF'), 12'288);
  EXPECT_EQ(again->staging(63).output_base.load(), 7U);
  EXPECT_EQ(again->slot(4).clients().size(), 1U);
  EXPECT_TRUE(all_zero(again->slot(3).ring())) << "slots overlap";
  EXPECT_EQ(again->slot(3).books().read(), "");
}

TEST(Arena, CannotBeGrownShrunkOrSealedFurtherByAnybody) {
  auto arena = make(2);
  const UniqueFd fd = duplicate(*arena);
  struct stat status{};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  for (const off_t size : {off_t{0}, status.st_size - 1, status.st_size + 4096}) {
    EXPECT_NE(::ftruncate(fd.get(), size), 0);
    EXPECT_EQ(errno, EPERM);
  }
  EXPECT_NE(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);  // NOLINT: variadic by POSIX
  EXPECT_EQ(errno, EPERM);
}

TEST(Arena, RefusesMemoryThatIsNoneOfItsKind) {
  auto good = make(2);
  struct stat status{};
  ASSERT_EQ(::fstat(good->fd(), &status), 0);
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string head(4096, '\0');
  ASSERT_EQ(::pread(good->fd(), head.data(), head.size(), 0), 4096);
  const auto with = [&](std::size_t field, std::uint64_t value) {
    std::string changed = head;
    std::memcpy(changed.data() + field * 8, &value, 8);
    return changed;
  };
  std::vector<UniqueFd> foreign;
  foreign.push_back(memory("", 0));
  foreign.push_back(memory("", 100));
  foreign.push_back(memory("", size));
  foreign.push_back(memory(test::stream(8, 0, 4096), size));
  foreign.push_back(memory(with(0, 0x616e657261'02'02ULL), size));  // Another version.
  foreign.push_back(memory(head, size + 4096));
  foreign.push_back(memory(head, size - 4096));
  for (const std::uint64_t slots : {0ULL, 1ULL, 3ULL, 65537ULL, ~0ULL})
    foreign.push_back(memory(with(1, slots), size));
  for (const std::uint64_t ring : {0ULL, 1ULL, 4095ULL, 8192ULL, ~0ULL, 1ULL << 63U})
    foreign.push_back(memory(with(2, ring), size));
  for (std::size_t i = 0; i < foreign.size(); ++i) {
    const auto opened = Arena::open(std::move(foreign[i]));
    ASSERT_FALSE(opened) << "foreign memory " << i;
    EXPECT_EQ(opened.error().code, Errc::bad_snapshot) << i;
  }
  EXPECT_TRUE(Arena::open(memory(head, size)));
  const auto none = Arena::open(UniqueFd());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::os_error);
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  EXPECT_FALSE(Arena::open(UniqueFd(pipe[0])));
  ::close(pipe[1]);
}

void fill(const ArenaSlot& slot, char with) {
  std::memset(slot.ring().data(), with, slot.ring().size());
  ASSERT_TRUE(slot.books().write(std::string(30'000, with)));
  ASSERT_TRUE(slot.books().write(std::string(100, with)));
  slot.header().pid.store(4711);
  ASSERT_NE(slot.client("c", 1, everybody), nullptr);
}

void expect_empty(const ArenaSlot& slot) {
  EXPECT_TRUE(all_zero(slot.ring()));
  EXPECT_EQ(slot.books().read(), "");
  EXPECT_TRUE(all_zero({reinterpret_cast<const char*>(&slot.header()), sizeof(SlotHeader)}));
}

TEST(Arena, ReleasedSlotIsZeroAndGivesItsMemoryBack) {
  auto arena = make(3, 1024 * 1024);
  const std::size_t empty = resident(*arena);
  EXPECT_LE(empty, 64 * 1024U) << "an arena takes memory before it is used";
  for (std::uint32_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(arena->claim(i));
    fill(arena->slot(i), '\xAA');
  }
  const std::size_t full = resident(*arena);
  EXPECT_GE(full, 3 * 1024 * 1024U);
  arena->slot(1).release();
  EXPECT_LE(resident(*arena), full - 1024 * 1024);
  EXPECT_EQ(std::ranges::count(arena->slot(0).ring(), '\xAA'), 1024 * 1024);
  EXPECT_EQ(std::ranges::count(arena->slot(2).ring(), '\xAA'), 1024 * 1024);
  EXPECT_EQ(arena->slot(2).books().read(), std::string(100, '\xAA'));
  arena->release(0);
  arena->release(2);
  EXPECT_LE(resident(*arena), empty + 64 * 1024);
  for (std::uint32_t i = 0; i < 3; ++i) expect_empty(arena->slot(i));
}

TEST(Arena, ClearsWhatNobodyClaimedAndNothingElse) {
  constexpr std::uint32_t kSlots = 67;
  const std::set<std::uint32_t> kept{0, 1, 31, 63, 64, 66};
  auto killed = make(kSlots);
  for (std::uint32_t i = 0; i < kSlots; ++i) fill(killed->slot(i), static_cast<char>(i + 1));
  ASSERT_TRUE(killed->service_books().write("flags"));
  killed->staging(0).output_base.store(1);

  auto arena = Arena::open(duplicate(*killed)).value();
  for (const std::uint32_t i : kept) ASSERT_TRUE(arena->claim(i));
  arena->clear_unclaimed();
  for (std::uint32_t i = 0; i < kSlots; ++i) {
    if (!kept.contains(i)) {
      expect_empty(arena->slot(i));
      continue;
    }
    EXPECT_EQ(std::ranges::count(arena->slot(i).ring(), static_cast<char>(i + 1)), 4096) << i;
    EXPECT_EQ(arena->slot(i).books().read(), std::string(100, static_cast<char>(i + 1)));
    EXPECT_EQ(arena->slot(i).header().pid.load(), 4711U);
  }
  EXPECT_EQ(arena->service_books().read(), "flags");
  EXPECT_EQ(arena->staging(0).output_base.load(), 1U);
}

}  // namespace
}  // namespace term
