#include "support/resuming_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace term::test {

using Json = nlohmann::json;

namespace {
constexpr std::uint64_t kAcknowledgeEvery = 32 * 1024;
constexpr Millis kFirstBackOff{4};
constexpr Millis kLastBackOff{64};
/// A connection that gets no answer in this time is given up.
constexpr Millis kPatience{30'000};
constexpr std::size_t kViolationsKept = 200;

std::chrono::duration<double, std::milli> in_ms(SteadyClock::duration time) { return time; }
}  // namespace

ResumingClient::ResumingClient(EventLoop& loop, ClientLog& log, Options options)
    : loop_(loop),
      log_(log),
      options_(std::move(options)),
      role_(role_of(options_.session)),
      input_(Flavour::input, role_.seed),
      check_(NumberedStream(role_.flavour, role_.seed)),
      socket_(loop_, *this),
      lost_at_(SteadyClock::now()),
      last_byte_(lost_at_) {}

void ResumingClient::beat(SteadyClock::time_point now) {
  if (outstanding() == 0) last_byte_ = now;
  if (ended_) return;
  if (!socket_.connected()) {
    if (now < std::max(retry_at_, away_until_)) return;
    trying_since_ = now;
    std::string target = "/terminal/" + options_.session;
    if (known_ || !options_.create) target += "?create=false";
    if (!socket_.connect(options_.port, target, "terminal.v1")) closed(1006, "refused");
    return;
  }
  if (!attached_ && now - trying_since_ > kPatience) {
    violation("no answer to attach in 30 s");
    return socket_.cut(true);
  }
  if (attached_ && !socket_.reading_paused()) acknowledge(1);
}

void ResumingClient::opened() {
  Json attach{
      {"type", "attach"}, {"client", options_.client}, {"input", acknowledged_}, {"cols", 80},
      {"rows", 24},       {"role", "writer"}};
  if (!options_.writer) attach["role"] = "viewer";
  asked_.reset();
  // A viewer of a session that has run for a while starts with what there is.
  const bool from_anywhere = refused_offset_ || (!options_.writer && !known_);
  if (!from_anywhere) attach["output"] = *(asked_ = received_);
  socket_.text(attach.dump());
  // Need not wait for the answer: what the service has already it skips.
  input_sent_ = acknowledged_;
  send_input();
}

void ResumingClient::message(bool text, std::string_view payload) {
  if (!text) return output(payload);
  const Json json = Json::parse(payload, nullptr, false);
  if (!json.is_object() || !json.contains("type")) return violation("not JSON: " + where());
  control(json);
}

void ResumingClient::control(const Json& message) {
  const auto type = message.value("type", "");
  if (type == "attached") return attached_message(message);
  if (type == "gap") return gap(message);
  if (type == "repaint") repaint_ = message.at("bytes").get<std::size_t>();
  if (type == "ack") {
    const auto upto = message.at("input").get<std::uint64_t>();
    if (upto > typed_ || upto < acknowledged_)
      violation("ack " + std::to_string(upto) + " of input" + where());
    acknowledged_ = std::min(std::max(acknowledged_, upto), typed_);
  }
  if (type == "exit") {
    told_.exit = true;
    if (message.contains("code")) told_.code = message["code"].get<int>();
    told_.signal = message.value("signal", "");
  }
  // The close that follows a fatal one says the same.
  if (type == "error" && !message.value("fatal", false))
    violation("error " + message.dump() + where());
}

void ResumingClient::attached_message(const Json& message) {
  const auto now = SteadyClock::now();
  const auto from = std::max(lost_at_, log_.away_since);
  attached_ = true;
  ++log_.connections;
  const auto tier = message.value("tier", "");
  ++log_.tiers[tier];
  if (known_) {
    log_.resumed_ms.push_back(std::max(0.0, in_ms(now - from).count()));
    if (tier == "new" || tier == "cold") violation("came back as " + tier + where());
  }
  known_ = true;
  last_byte_ = now;
  back_off_ = Millis(0);
  const auto output = message.at("output").get<std::uint64_t>();
  if (asked_ && output != received_) violation("attached at " + std::to_string(output) + where());
  if (!asked_ && !refused_offset_) check_.skip(output - std::min(output, check_.at()));
  received_ = output_acked_ = output;
  refused_offset_ = false;
  const auto input = message.at("input").get<std::uint64_t>();
  if (options_.writer) {
    if (input > typed_ || input < acknowledged_)
      violation("attached with input " + std::to_string(input) + where());
    acknowledged_ = std::min(std::max(acknowledged_, input), typed_);
  }
}

void ResumingClient::gap(const Json& message) {
  const auto from = message.at("from").get<std::uint64_t>();
  const auto to = message.at("to").get<std::uint64_t>();
  if (from != received_ || to <= from) violation("gap " + message.dump() + where());
  ++log_.gaps;
  log_.gap_bytes += to - from;
  if (role_.free_kib == 0) violation("gap " + message.dump() + where());
  received_ = to;
  check_.skip(to - from);
  last_byte_ = SteadyClock::now();
}

void ResumingClient::output(std::string_view payload) {
  if (repaint_ > 0) {
    repaint_ = 0;
    return;
  }
  const bool was_exact = check_.exact() && check_.in_step();
  check_.feed(payload);
  if (was_exact && check_.first_wrong) violation("first wrong byte of output" + where());
  received_ += payload.size();
  const auto now = SteadyClock::now();
  longest_wait_ = std::max(longest_wait_, std::chrono::duration_cast<Millis>(now - last_byte_));
  last_byte_ = heard_at_ = now;
  acknowledge(kAcknowledgeEvery);
}

void ResumingClient::acknowledge(std::uint64_t least) {
  if (received_ < output_acked_ + least) return;
  output_acked_ = received_;
  socket_.text(R"({"type":"ack","output":)" + std::to_string(received_) + "}");
}

void ResumingClient::closed(int code, const std::string& reason) {
  const auto now = SteadyClock::now();
  if (attached_) {
    ++log_.disconnects;
    ++log_.closes[code];
    lost_at_ = now;
  }
  attached_ = false;
  told_.close_code = code;
  // What the service says about the offset: it has less than we were given.
  if (code == 1008) {
    violation("close 1008 " + reason + where());
    refused_offset_ = true;
  }
  if (told_.exit || code == 1000 || code == 4404 || code == 4000 || code == 4001) {
    ended_ = true;
    if (!told_.exit) violation("ended by close " + std::to_string(code) + where());
  }
  back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLastBackOff);
  // The first attempt comes at once.
  retry_at_ = lost_at_ == now ? now : now + back_off_;
}

std::uint64_t ResumingClient::outstanding() const {
  if (role_.free_kib > 0) return 0;
  const auto due = kGreetingBytes + typed_ / kRecordBytes * role_.block;
  return due > check_.at() ? due - check_.at() : 0;
}

std::size_t ResumingClient::type(std::size_t bytes) {
  if (ending_at_ || !greeted()) return 0;
  std::size_t n = 0;
  const auto left = [&] { return options_.window - std::min(options_.window, outstanding()); };
  if (left() >= role_.block) n = std::min<std::size_t>(bytes, left() / role_.block * kRecordBytes);
  // Input on its way is bounded as well: no more than a program may have to be sent again.
  const std::uint64_t unwritten = typed_ - acknowledged_;
  n = std::min<std::size_t>(n, options_.window - std::min(options_.window, unwritten));
  if (n == 0) return 0;
  typed_ += n;
  send_input();
  return n;
}

void ResumingClient::type_ending(const Ending& ending) {
  if (ending_at_) return;
  ending_at_ = (typed_ + kRecordBytes - 1) / kRecordBytes * kRecordBytes;
  ending_record_ = ending_record(ending);
  typed_ = *ending_at_ + kRecordBytes;
  send_input();
}

void ResumingClient::send_input() {
  if (!options_.writer || !socket_.open() || input_sent_ >= typed_) return;
  const std::string bytes = input_bytes(input_sent_, typed_);
  input_sent_ = typed_;
  socket_.binary(bytes);
}

std::string ResumingClient::input_bytes(std::uint64_t from, std::uint64_t to) const {
  const std::uint64_t plain_end = ending_at_ ? std::min(*ending_at_, to) : to;
  std::string bytes;
  if (from < plain_end) bytes = input_.bytes(from, static_cast<std::size_t>(plain_end - from));
  if (ending_at_ && to > *ending_at_) {
    const std::uint64_t start = std::max(from, *ending_at_);
    bytes += ending_record_.substr(static_cast<std::size_t>(start - *ending_at_),
                                   static_cast<std::size_t>(to - start));
  }
  return bytes;
}

Millis ResumingClient::take_longest_wait() {
  if (attached_ && outstanding() > 0) {
    const auto now = SteadyClock::now();
    longest_wait_ = std::max(longest_wait_, std::chrono::duration_cast<Millis>(now - last_byte_));
  }
  return std::exchange(longest_wait_, Millis(0));
}

void ResumingClient::stay_away(Millis time) {
  away_until_ = SteadyClock::now() + time;
  socket_.cut(true);
  // It comes back late of its own will.
  lost_at_ = away_until_;
}

void ResumingClient::violation(const std::string& text) {
  if (log_.violations.size() < kViolationsKept)
    log_.violations.push_back(options_.session + ": " + text);
}

std::string ResumingClient::where() const {
  return "; received " + std::to_string(received_) + ", typed " + std::to_string(typed_) +
         ", acknowledged " + std::to_string(acknowledged_);
}

}  // namespace term::test
