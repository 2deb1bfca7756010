#include "session/input_clients.h"

namespace term {

InputOffsets& offsets_of(std::map<std::string, InputOffsets>& input, const std::string& client,
                         Offset first, const std::function<bool(const std::string&)>& attached) {
  if (const auto known = input.find(client); known != input.end()) return known->second;
  if (input.size() >= kMaxInputClients) {
    std::erase_if(input, [&](const auto& entry) {
      return entry.second.accepted == entry.second.written && !attached(entry.first);
    });
  }
  return input.emplace(client, InputOffsets{.accepted = first, .written = first}).first->second;
}

}  // namespace term
