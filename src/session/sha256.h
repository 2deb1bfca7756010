#pragma once
// SHA-256 of bytes that come in pieces.

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace term {

/// Source: FIPS 180-4, by OpenSSL.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Of all bytes so far, 64 lower-case hex digits. Nothing may be added afterwards.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace term
