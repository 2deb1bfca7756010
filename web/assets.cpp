#include "web/assets.h"

#include <array>

// Laid out by assets.S; an end label follows each file's last byte.
extern "C" {
extern const char term_web_index_html[], term_web_index_html_end[];
extern const char term_web_app_js[], term_web_app_js_end[];
extern const char term_web_app_css[], term_web_app_css_end[];
extern const char term_web_favicon_svg[], term_web_favicon_svg_end[];
}

namespace term::web {

std::span<const Asset> assets() {
  static const std::array kAssets{
      Asset{"/", "text/html; charset=utf-8", {term_web_index_html, term_web_index_html_end}},
      Asset{"/app.js", "text/javascript; charset=utf-8", {term_web_app_js, term_web_app_js_end}},
      Asset{"/app.css", "text/css; charset=utf-8", {term_web_app_css, term_web_app_css_end}},
      Asset{"/favicon.svg", "image/svg+xml", {term_web_favicon_svg, term_web_favicon_svg_end}},
  };
  return kAssets;
}

}  // namespace term::web
