#include "mainstem/media/text/chunk.h"

#include <fmt/format.h>

#include <algorithm>

#include "mainstem/functions/text/families.h"

namespace mainstem {
namespace {

text::ChunkOptions ChunkOptionsOf(const Options& options) {
  text::ChunkOptions out{.size = options.Int("size"), .overlap = options.Int("overlap")};
  if (options.Has("separators")) out.separators = options.StringList("separators");
  out.max_bytes = options.Int("max_text_bytes");
  return out;
}

Status CheckOptions(const text::ChunkOptions& options) {
  if (options.overlap >= options.size) {
    return JobError(fmt::format("text.chunk: overlap={} must be less than size={}", options.overlap, options.size));
  }
  const auto& separators = options.separators;
  if (std::any_of(separators.begin(), separators.end(), [](const std::string& s) { return s.empty(); })) {
    return JobError("text.chunk: a separator is empty; name at least one character each, or leave separators out");
  }
  return Status::OK();
}

constexpr char kDoc[] =
    "Cuts text into chunks of at most `size` characters (Unicode code points), a list of strings in the "
    "order of the text. A chunk ends at the end of the text where that is within reach; else at the last "
    "border within reach of the best rank that has one: the end of a paragraph (white space with two line "
    "feeds) in the second half of the reach, the end of a sentence (behind . ! ? … and closing quotes or "
    "brackets, before white space; behind 。！？ always; not behind abbreviations, initials, or before a "
    "lower-case letter), the end of a word (at white space and beside CJK characters), or else after exactly "
    "`size` characters. The next chunk starts at the earliest start of a sentence, else of a word, within "
    "the last `overlap` characters, as long as its own end gets no worse a rank by that; else right behind. "
    "With `separators` these take the place of paragraphs and sentences: a text is cut behind the first of "
    "them in the second half of the reach, …, behind any of them anywhere. White space at the ends of chunks "
    "is dropped; every other character is in a chunk. Text of white space gives an empty list; text that is "
    "not UTF-8 is a data error.";

}  // namespace

Status RegisterTextChunking(Registry& registry) {
  FunctionDefinition chunk;
  chunk.name = "text.chunk";
  chunk.doc = kDoc;
  chunk.arguments = {{"text", TypePattern::kText, "Text in UTF-8."}};
  chunk.options = {{.name = "size",
                    .type = OptionType::kInt,
                    .default_value = 2048,
                    .doc = "Most characters of a chunk.",
                    .minimum = 1},
                   {.name = "overlap",
                    .type = OptionType::kInt,
                    .default_value = 200,
                    .doc = "Most characters that a chunk repeats of the one before; less than size.",
                    .minimum = 0},
                   {.name = "separators",
                    .type = OptionType::kStringList,
                    .doc = "Texts to cut behind, the best first; None cuts at paragraphs and sentences."},
                   {.name = "max_text_bytes",
                    .type = OptionType::kInt,
                    .default_value = text::ChunkOptions{}.max_bytes,
                    .doc = "Longer text is a data error; the work takes some ten times its size.",
                    .minimum = 1,
                    .maximum = 4294967295.0}};
  chunk.has_on_error = true;
  chunk.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_RETURN_NOT_OK(CheckOptions(ChunkOptionsOf(signature.options)));
    return LogicalType::List(LogicalType::String());
  };
  chunk.make_row_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel(
        [options = ChunkOptionsOf(signature.options)](std::span<const Value> arguments) -> Result<Value> {
          const Bytes& whole = arguments[0].As<Bytes>();
          ARROW_ASSIGN_OR_RAISE(const auto chunks, text::Chunk(whole.view(), options));
          ListValue out;
          out.items.reserve(chunks.size());
          for (const std::string_view part : chunks) {
            out.items.push_back(whole.Slice(static_cast<size_t>(part.data() - whole.view().data()), part.size()));
          }
          return Value(std::move(out));
        });
  };
  return registry.Add(std::move(chunk));
}

}  // namespace mainstem
