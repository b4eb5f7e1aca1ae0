#include <fmt/format.h>

#include <algorithm>

#include "mainstem/functions/builtin.h"
#include "mainstem/media/document/pdf_reader.h"

namespace mainstem {
namespace {

constexpr int64_t kMaxPagesDefault = 10000;
constexpr int64_t kPixelLimitDefault = 178956970;  // Pillow's limit for a decoded picture

class Pages : public TableKernel {
 public:
  explicit Pages(const Options& options)
      : page_{.text = options.Bool("text"),
              .image = options.Bool("image"),
              .dpi = static_cast<double>(options.Int("dpi")),
              .pixel_limit = options.Int("pixel_limit")},
        start_page_(options.Int("start_page")),
        pages_(options.MaybeInt("pages")),
        max_pages_(options.Int("max_pages")),
        password_(options.MaybeString("password")),
        skips_(options.String("on_error") == "skip") {}

  Status Start(std::span<const Value> arguments) override {
    reader_.reset();
    return Filter(Open(arguments[0]));
  }

  Result<std::optional<std::vector<Value>>> Next() override {
    std::optional<std::vector<Value>> row;
    if (!reader_ || next_ > last_) {
      reader_.reset();
      return row;
    }
    auto page = reader_->ReadPage(static_cast<int32_t>(next_++), page_);
    if (!page.ok()) {
      ARROW_RETURN_NOT_OK(Filter(page.status()));
      return row;
    }
    row = Row(std::move(*page));
    return row;
  }

 private:
  // Ends the document at a failure; by the policy, data errors end there, too.
  Status Filter(const Status& status) {
    if (status.ok()) return status;
    reader_.reset();
    if (skips_ && ClassOf(status) == ErrorClass::kRow) return Status::OK();
    return uri_.empty() ? status : WithContext(status, Escaped(uri_));
  }

  Status Open(const Value& argument) {
    uri_.clear();
    Bytes pdf;
    if (argument.Is<FileReference>()) {
      const FileReference& file = argument.As<FileReference>();
      uri_ = file.uri;
      if (!file.data) return RowError("the bytes of the PDF have not been fetched");
      pdf = *file.data;
    } else {
      pdf = argument.As<Bytes>();
    }
    ARROW_ASSIGN_OR_RAISE(reader_, document::PdfReader::Open(std::move(pdf), password_));
    next_ = start_page_;
    last_ = reader_->page_count();
    if (pages_) last_ = std::min(last_, start_page_ + *pages_ - 1);
    if (last_ - next_ + 1 > max_pages_) {
      return RowError(fmt::format("the PDF has {} pages to read, more than max_pages={}: raise it, or choose with "
                                  "start_page and pages", last_ - next_ + 1, max_pages_));
    }
    return Status::OK();
  }

  std::vector<Value> Row(document::Page page) const {
    std::vector<Value> row;
    row.emplace_back(page.page_no);
    if (page_.text) row.emplace_back(std::move(page.text));
    if (page_.image) row.emplace_back(std::move(*page.image));
    row.emplace_back(page.width);
    row.emplace_back(page.height);
    return row;
  }

  document::PageOptions page_;
  int64_t start_page_;
  std::optional<int64_t> pages_;
  int64_t max_pages_;
  std::optional<std::string> password_;
  bool skips_;
  std::string uri_;
  std::unique_ptr<document::PdfReader> reader_;
  int64_t next_ = 1;
  int64_t last_ = 0;
};

Result<std::vector<OutputColumn>> OutputColumns(const BoundSignature& signature) {
  std::vector<OutputColumn> columns{{"page_no", LogicalType::Int32()}};
  if (signature.options.Bool("text")) columns.push_back({"text", LogicalType::String()});
  if (signature.options.Bool("image")) columns.push_back({"image", LogicalType::Image(ImageMode::kRGB)});
  columns.push_back({"width", LogicalType::Float64()});
  columns.push_back({"height", LogicalType::Float64()});
  return columns;
}

OptionSpec IntOption(const char* name, OptionValue default_value, const char* doc, std::optional<double> maximum = {}) {
  return {.name = name, .type = OptionType::kInt, .default_value = std::move(default_value), .doc = doc,
          .minimum = 1, .maximum = maximum};
}

std::vector<OptionSpec> OptionSpecs() {
  constexpr double kPagesHighest = 2147483647;
  return {
      {.name = "text", .type = OptionType::kBool, .default_value = true, .doc = "Emit the text of each page."},
      {.name = "image", .type = OptionType::kBool, .default_value = false, .doc = "Emit a picture of each page."},
      IntOption("dpi", 150, "Pixels an inch of the picture.", 600),
      IntOption("start_page", 1, "The first page to read; 1 is the document's first.", kPagesHighest),
      IntOption("pages", {}, "How many pages to read; all that follow where not given.", kPagesHighest),
      IntOption("max_pages", kMaxPagesDefault, "A document with more pages to read fails the row.", kPagesHighest),
      IntOption("pixel_limit", kPixelLimitDefault, "A picture of more pixels fails the row."),
      {.name = "password", .doc = "Opens encrypted documents."},
      {.name = "on_error",
       .default_value = "raise",
       .doc = "What a broken PDF does: 'raise' fails the row, 'skip' ends it; pages emitted before stay.",
       .choices = {"raise", "skip"}},
  };
}

}  // namespace

Status RegisterDocumentFunctions(Registry& registry) {
  FunctionDefinition function;
  function.name = "document.pages";
  function.kind = FunctionKind::kTable;
  function.cost = CostClass::kHeavy;
  function.doc =
      "Returns one row for each page of a PDF: page_no (1 is the first), `text` in reading order as the document "
      "has it (words broken at a line's end are joined), `image` (RGB on white, annotations drawn), and width and "
      "height in points (1/72 inch) with the page's rotation applied. A start_page beyond the end gives no rows. "
      "Pages are read by PDFium, one at a time in a process: more parallelism does not speed up rendering.";
  function.arguments = {{"pdf", TypePattern::kBytes, "the bytes of a PDF, or a file"}};
  function.options = OptionSpecs();
  function.output_columns = &OutputColumns;
  function.make_table_kernel = [](const BoundSignature& signature) -> Result<std::unique_ptr<TableKernel>> {
    return std::make_unique<Pages>(signature.options);
  };
  return registry.Add(std::move(function));
}

}  // namespace mainstem
