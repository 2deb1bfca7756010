// A text in shared memory: replaced whole or not at all, whenever the writer is killed.

#include <gtest/gtest.h>

#include <algorithm>

#include "session/arena.h"
#include "support/staged_terminal.h"

namespace term {
namespace {

std::unique_ptr<Arena> make(std::uint32_t slots) { return Arena::create(slots, 4096).value(); }
bool all_zero(std::span<const char> bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c == 0; });
}

TEST(DurableText, GivesBackWhatWasWrittenLast) {
  auto arena = make(1);
  auto text = arena->slot(0).books();
  EXPECT_EQ(text.read(), "");
  for (const std::size_t size : {1UL, 2047UL, 2048UL, 2049UL, 65536UL, 0UL, 2048UL, 40000UL, 3UL})
    for (const char c : {'a', '\0', '\xFF'}) {
      const std::string written(size, c);
      ASSERT_TRUE(text.write(written));
      ASSERT_EQ(text.read(), written) << size;
      ASSERT_EQ(arena->slot(0).books().read(), written) << size;
    }
}

TEST(DurableText, RefusesWhatIsTooLongAndKeepsTheOld) {
  auto arena = make(1);
  auto text = arena->slot(0).books();
  ASSERT_TRUE(text.write("the old one"));
  const auto refused = text.write(std::string(Arena::kLargeBooks + 1, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_EQ(text.read(), "the old one");
}

TEST(DurableText, OfTheServiceHoldsMegabytesAndTouchesNoSlot) {
  auto arena = make(2);
  const std::string large = test::stream(5, 0, Arena::kLargeServiceBooks);
  ASSERT_TRUE(arena->service_books().write(large));
  EXPECT_TRUE(arena->service_books().read() == large);
  EXPECT_EQ(arena->slot(0).books().read(), "");
  EXPECT_TRUE(all_zero(arena->slot(0).ring()));
}

TEST(DurableText, ThatIsDamagedIsEmptyAndNeverAnotherText) {
  constexpr std::size_t kLarge = 4096;
  std::string memory(DurableText::memory_bytes(kLarge), '\0');
  Durable current;
  DurableText text(current, memory.data(), kLarge);
  const std::string written = R"({"version":1})" + test::stream(6, 0, 80);
  ASSERT_TRUE(text.write(written));
  for (std::size_t at = 0; at < written.size(); ++at)
    for (unsigned bit = 0; bit < 8; ++bit) {
      memory[at] = static_cast<char>(static_cast<unsigned char>(memory[at]) ^ 1U << bit);
      EXPECT_EQ(text.read(), "") << "byte " << at << " bit " << bit;
      memory[at] = static_cast<char>(static_cast<unsigned char>(memory[at]) ^ 1U << bit);
    }
  const std::uint64_t whole = current.load();
  for (unsigned bit = 0; bit < 64; ++bit) {
    current.store(whole ^ std::uint64_t{1} << bit);
    EXPECT_EQ(text.read(), "") << "bit " << bit << " of what names it";
  }
  current.store(~std::uint64_t{0});
  EXPECT_EQ(text.read(), "");
  current.store(whole);
  EXPECT_EQ(text.read(), written);
}

/// Every pair of an old and a new text, of both sizes.
std::vector<std::pair<std::string, std::string>> replacements() {
  const std::string small = "small " + std::string(20, 's');
  const std::string other = "other " + std::string(30, 'o');
  const std::string large = std::string(2049, 'L');
  const std::string huge = std::string(2100, 'H');
  return {{"", small}, {small, other}, {small, large}, {large, small}, {large, huge}, {other, ""}};
}

/// The memory after a kill: as it was, but for the first bytes that the write changes.
TEST(DurableText, CutOffWhileItsBytesAreWrittenIsStillTheOldOne) {
  constexpr std::size_t kLarge = 4096;
  for (const auto& [before, after] : replacements()) {
    std::string memory(DurableText::memory_bytes(kLarge), '\0');
    Durable current;
    DurableText text(current, memory.data(), kLarge);
    ASSERT_TRUE(text.write("even older"));
    ASSERT_TRUE(text.write(before));
    const std::string old_memory = memory;
    const std::uint64_t old_current = current.load();
    ASSERT_TRUE(text.write(after));
    const std::string new_memory = memory;
    EXPECT_EQ(text.read(), after);
    memory = old_memory;
    current.store(old_current);
    for (std::size_t at = 0; at < memory.size(); ++at) {
      if (memory[at] == new_memory[at]) continue;
      memory[at] = new_memory[at];
      ASSERT_EQ(text.read(), before) << "byte " << at << " of \"" << after.substr(0, 10) << '"';
    }
  }
}

#ifdef TERM_CAN_STEP
TEST(DurableText, KilledBetweenAnyTwoInstructionsIsTheOldOrTheNewOne) {
  for (const auto& [before, after] : replacements()) {
    if (after.size() > 100) continue;  // Tens of thousands of instructions; see above.
    bool changed = false;
    for (int steps = 1;; steps += 37) {
      auto arena = make(1);
      auto text = arena->slot(0).books();
      ASSERT_TRUE(text.write(before));
      const bool whole = test::run_and_kill_after(steps, [&] { (void)text.write(after); });
      const std::string found = text.read();
      ASSERT_TRUE(found == before || found == after) << steps << " " << found.substr(0, 10);
      EXPECT_TRUE(!changed || found == after) << "it came and went";
      changed = found == after;
      ASSERT_TRUE(text.write("the next")) << steps;
      ASSERT_EQ(text.read(), "the next") << steps;
      if (whole) break;
    }
    EXPECT_TRUE(changed);
  }
}
#endif

}  // namespace
}  // namespace term
