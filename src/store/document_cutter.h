#pragma once
// Cuts a JSON document that comes in pieces of any size into what it is made of.

#include <cstdint>
#include <string>
#include <string_view>

#include "session/types.h"

namespace term::store {

/// The text of one JSON object is taken apart as it comes: its fields, and of the fields
/// `projects`, `sessions` and `connections` each element. Nothing is kept but the part in hand.
///
/// Checks the shape around the parts; that a part is JSON, whoever gets it must see. Bounds: a
/// session's text kMaxSession, every other part kMaxPart, blanks in a row kMaxBlanks, nesting
/// kMaxDepth; beyond one the document is refused.
class DocumentCutter {
 public:
  static constexpr std::size_t kMaxSession = 64 * 1024 * 1024;
  static constexpr std::size_t kMaxPart = 4 * 1024 * 1024;
  static constexpr std::size_t kMaxBlanks = 64 * 1024;
  static constexpr int kMaxDepth = 128;

  /// Who gets the parts, in order. Views are valid during the call. An error ends the reading.
  class Sink {
   public:
    virtual ~Sink() = default;
    /// A field of the document begins; its value, or its elements, follow.
    virtual Result<void> key(const std::string& key) = 0;
    virtual Result<void> value(const std::string& key, std::string_view text) = 0;
    virtual Result<void> element(const std::string& key, std::string_view text) = 0;
    /// Bytes that belong to no session, in order, as they are; those of a key after key().
    virtual void outside(std::string_view bytes) = 0;
  };
  explicit DocumentCutter(Sink& sink) : sink_(sink) {}

  /// Errors: bad_snapshot naming the byte and what was expected there; those of the sink. Not to be
  /// called again then.
  Result<void> feed(std::string_view bytes);
  /// The document has ended. Errors: bad_snapshot when it has not.
  Result<void> finish() const;

 private:
  enum class Place : std::uint8_t {
    begin,        ///< `{` is next.
    first_key,    ///< A key or `}`.
    next_key,     ///< A key.
    key,          ///< In it.
    colon,        ///< Behind a key.
    value,        ///< Begins next.
    in_value,     ///< In it.
    first_item,   ///< An element or `]`.
    next_item,    ///< An element.
    in_item,      ///< In one.
    after_item,   ///< `,` or `]`.
    after_value,  ///< `,` or `}`.
    end,
  };
  Result<void> step(char c);
  Result<void> begin_part(Place place, char c);
  /// Takes bytes of the part in hand from the front; true: it is complete.
  Result<bool> collect(std::string_view& bytes);
  Result<void> part_complete();
  bool blank(char c);
  std::size_t bound() const;
  Error wrong(const std::string& expected) const;

  Sink& sink_;
  Place place_ = Place::begin;
  std::string key_;
  std::string text_;  ///< The part in hand.
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  std::uint64_t position_ = 0;  ///< Of the byte looked at.
  std::size_t blanks_ = 0;
};

}  // namespace term::store
