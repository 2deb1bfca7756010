#include "session/pen.h"

#include <algorithm>

namespace term {

namespace {

void set(Pen& pen, unsigned attributes, bool on) {
  pen.attributes =
      static_cast<std::uint16_t>(on ? pen.attributes | attributes : pen.attributes & ~attributes);
}

Colour palette(unsigned number) {
  return {.kind = Colour::palette, .value = {static_cast<std::uint8_t>(number)}};
}

std::uint8_t byte(std::uint16_t value) {
  return static_cast<std::uint8_t>(std::min<std::uint16_t>(value, 255));
}

/// Reads the colour behind a 38, 48 or 58 at `at`; returns where the next number is.
std::size_t read_colour(const Csi& sgr, std::size_t at, Colour& colour) {
  const std::size_t kind = at + 1;
  std::size_t end = kind;
  std::size_t red = kind + 1;
  if (sgr.hangs_at(kind)) {
    while (sgr.hangs_at(end)) ++end;
    if (end - kind >= 5) ++red;  // 38:2:<colour space>:r:g:b
  } else {
    end = sgr.value(kind) == 2 ? kind + 4 : sgr.value(kind) == 5 ? kind + 2 : kind + 1;
  }
  if (end > sgr.count) return sgr.count;
  if (sgr.value(kind) == 5 && end > kind + 1) colour = palette(byte(sgr.value(kind + 1)));
  if (sgr.value(kind) == 2 && end >= red + 3) {
    colour = {.kind = Colour::rgb,
              .value = {byte(sgr.value(red)), byte(sgr.value(red + 1)), byte(sgr.value(red + 2))}};
  }
  return end;
}

void apply_colour_number(Pen& pen, unsigned number) {
  if (number >= 30 && number <= 37) pen.foreground = palette(number - 30);
  if (number == 39) pen.foreground = {};
  if (number >= 40 && number <= 47) pen.background = palette(number - 40);
  if (number == 49) pen.background = {};
  if (number == 59) pen.underline_colour = {};
  if (number >= 90 && number <= 97) pen.foreground = palette(number - 90 + 8);
  if (number >= 100 && number <= 107) pen.background = palette(number - 100 + 8);
}

void apply_number(Pen& pen, unsigned number) {
  switch (number) {
    case 0:
      pen = {};
      return;
    case 1:
      return set(pen, Pen::bold, true);
    case 2:
      return set(pen, Pen::faint, true);
    case 3:
      return set(pen, Pen::italic, true);
    case 4:
      pen.underline = 1;
      return;
    case 5:
    case 6:
      return set(pen, Pen::blink, true);
    case 7:
      return set(pen, Pen::reverse, true);
    case 8:
      return set(pen, Pen::concealed, true);
    case 9:
      return set(pen, Pen::strike, true);
    case 21:
      pen.underline = 2;
      return;
    case 22:
      return set(pen, Pen::bold | Pen::faint, false);
    case 23:
      return set(pen, Pen::italic, false);
    case 24:
      pen.underline = 0;
      return;
    case 25:
      return set(pen, Pen::blink, false);
    case 27:
      return set(pen, Pen::reverse, false);
    case 28:
      return set(pen, Pen::concealed, false);
    case 29:
      return set(pen, Pen::strike, false);
    case 53:
      return set(pen, Pen::overline, true);
    case 55:
      return set(pen, Pen::overline, false);
    default:
      return apply_colour_number(pen, number);
  }
}

/// The numbers of one colour; `base`: 30, 40 or 50. Empty for the default.
std::string colour_numbers(const Colour& colour, unsigned base) {
  if (colour.kind == Colour::none) return {};
  const unsigned number = colour.value[0];
  if (colour.kind == Colour::palette && number < 16 && base != 50) {
    return std::to_string(number < 8 ? base + number : base + 60 + number - 8);
  }
  // Colons for the underline only: a terminal that does not know 58 would take its numbers apart.
  const std::string separator = base == 50 ? ":" : ";";
  std::string out = std::to_string(base + 8) + separator;
  if (colour.kind == Colour::palette) return out + "5" + separator + std::to_string(number);
  out += base == 50 ? "2:" : "2";
  for (const unsigned part : colour.value) out.append(separator) += std::to_string(part);
  return out;
}

}  // namespace

void apply_sgr(Pen& pen, const Csi& sgr) {
  if (sgr.count == 0) pen = {};
  for (std::size_t at = 0; at < sgr.count;) {
    const unsigned number = sgr.value(at);
    if (number == 38 || number == 48 || number == 58) {
      Colour& colour = number == 38   ? pen.foreground
                       : number == 48 ? pen.background
                                      : pen.underline_colour;
      at = read_colour(sgr, at, colour);
      continue;
    }
    apply_number(pen, number);
    if (number == 4 && sgr.hangs_at(at + 1))
      pen.underline = static_cast<std::uint8_t>(std::min<unsigned>(sgr.value(at + 1), 5));
    do ++at;
    while (sgr.hangs_at(at));
  }
}

void append_sgr(std::string& out, const Pen& pen) {
  out += "\x1B[";
  if (pen == Pen{}) {
    out += 'm';
    return;
  }
  out += '0';
  struct Number {
    Pen::Attribute attribute;
    const char* text;
  };
  static constexpr Number kNumbers[] = {
      {Pen::bold, ";1"},    {Pen::faint, ";2"},     {Pen::italic, ";3"}, {Pen::blink, ";5"},
      {Pen::reverse, ";7"}, {Pen::concealed, ";8"}, {Pen::strike, ";9"}, {Pen::overline, ";53"}};
  for (const Number& number : kNumbers) {
    if ((pen.attributes & number.attribute) != 0) out += number.text;
  }
  if (pen.underline == 1) out += ";4";
  if (pen.underline > 1) out += ";4:" + std::to_string(unsigned{pen.underline});
  // A sequence of its own for each long one: libvterm 0.1.4 crashes on more than 16 numbers.
  for (const std::string& colour :
       {colour_numbers(pen.foreground, 30), colour_numbers(pen.background, 40),
        colour_numbers(pen.underline_colour, 50)}) {
    if (colour.empty()) continue;
    out.append(colour.size() > 3 ? "m\x1B[" : ";").append(colour);
  }
  out += 'm';
}

}  // namespace term
