#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "mainstem/functions/builtin.h"
#include "mainstem/media/document/pdfium.h"

namespace mainstem {
namespace {

using Given = std::map<std::string, OptionValue>;
using Rows = std::vector<std::vector<Value>>;

std::string Contents(const std::string& name) {
  const auto folder = std::filesystem::path(__FILE__).parent_path() / "../../media/document/testdata";
  std::ifstream file(folder / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<BoundSignature> Bind(const FunctionDefinition& function, const Given& given) {
  ARROW_ASSIGN_OR_RAISE(Options options, Options::Check(function.name, function.options, given));
  return BoundSignature{{LogicalType::Binary()}, std::move(options)};
}

// Rows up to the end or the error, which goes to `error`.
Rows Read(const Value& pdf, const Given& given, Status* error) {
  Rows rows;
  *error = [&]() -> Status {
    Registry registry;
    ARROW_RETURN_NOT_OK(RegisterDocumentFunctions(registry));
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, registry.Find("document.pages"));
    ARROW_ASSIGN_OR_RAISE(const BoundSignature signature, Bind(*function, given));
    ARROW_ASSIGN_OR_RAISE(const auto columns, function->output_columns(signature));
    ARROW_ASSIGN_OR_RAISE(const auto kernel, function->make_table_kernel(signature));
    ARROW_RETURN_NOT_OK(kernel->Start(std::span(&pdf, 1)));
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(auto row, kernel->Next());
      if (!row) return Status::OK();
      EXPECT_EQ(row->size(), columns.size());
      rows.push_back(std::move(*row));
    }
  }();
  return rows;
}

Rows Read(const std::string& name, const Given& given = {}) {
  Status error;
  Rows rows = Read(Value(Contents(name)), given, &error);
  EXPECT_TRUE(error.ok()) << error.ToString();
  return rows;
}

Status FailureOf(const std::string& name, const Given& given = {}) {
  Status error;
  Read(Value(Contents(name)), given, &error);
  return error;
}

std::vector<int64_t> Numbers(const Rows& rows) {
  std::vector<int64_t> numbers;
  for (const auto& row : rows) numbers.push_back(row[0].As<int64_t>());
  return numbers;
}

class DocumentPagesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto pdfium = document::LoadPdfium(); !pdfium.ok()) {
      GTEST_SKIP() << "PDFium is not installed: " << pdfium.status().message();
    }
  }
};

TEST_F(DocumentPagesTest, EmitsTextAndSize) {
  const Rows rows = Read("text.pdf");
  EXPECT_EQ(Numbers(rows), (std::vector<int64_t>{1, 2, 3}));
  ASSERT_EQ(rows[0].size(), 4u);
  EXPECT_EQ(rows[2][1].As<Bytes>().view(), "caf\u00e9 (\u00a9)");
  EXPECT_EQ(rows[1][2].As<double>(), 144);
  EXPECT_EQ(rows[1][3].As<double>(), 72);
}

TEST_F(DocumentPagesTest, EmitsOnlyWhatIsAskedFor) {
  const Rows rows = Read("text.pdf", {{"text", false}, {"image", true}, {"dpi", 36}});
  ASSERT_EQ(rows[0].size(), 4u);
  EXPECT_EQ(rows[0][1].As<Image>().width, 306);
  EXPECT_EQ(rows[0][1].As<Image>().height, 396);
  EXPECT_EQ(Read("text.pdf", {{"text", false}})[0].size(), 3u);
}

TEST_F(DocumentPagesTest, ReadsARangeOfPages) {
  EXPECT_EQ(Numbers(Read("text.pdf", {{"start_page", 2}})), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(Numbers(Read("text.pdf", {{"start_page", 2}, {"pages", 1}})), (std::vector<int64_t>{2}));
  EXPECT_EQ(Numbers(Read("text.pdf", {{"pages", 99}})), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_TRUE(Read("text.pdf", {{"start_page", 4}}).empty());
}

TEST_F(DocumentPagesTest, MorePagesThanAllowedIsARowError) {
  EXPECT_EQ(ClassOf(FailureOf("text.pdf", {{"max_pages", 2}})), ErrorClass::kRow);
  EXPECT_EQ(Read("text.pdf", {{"max_pages", 2}, {"pages", 2}}).size(), 2u);
}

TEST_F(DocumentPagesTest, SkipKeepsThePagesBeforeTheDamage) {
  Status error;
  const Rows rows = Read(Value(Contents("count_lies.pdf")), {}, &error);
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_EQ(ClassOf(error), ErrorClass::kRow);
  EXPECT_EQ(Read("count_lies.pdf", {{"on_error", "skip"}}).size(), 1u);
  EXPECT_TRUE(Read("no_pages.pdf", {{"on_error", "skip"}}).empty());
  EXPECT_TRUE(Read("loop.pdf", {{"on_error", "skip"}}).empty());
}

TEST_F(DocumentPagesTest, PasswordOpens) {
  EXPECT_EQ(ClassOf(FailureOf("encrypted.pdf")), ErrorClass::kRow);
  EXPECT_EQ(Read("encrypted.pdf", {{"password", "secret"}})[0][1].As<Bytes>().view(), "Hidden words");
}

TEST_F(DocumentPagesTest, AFileIsNamedInItsErrors) {
  Status error;
  FileReference file{.uri = "papers/odd.pdf"};
  file.data = Bytes::Own("nothing");
  Read(Value(file), {}, &error);
  EXPECT_EQ(ClassOf(error), ErrorClass::kRow);
  EXPECT_NE(error.message().find("papers/odd.pdf"), std::string::npos);
  file.data = Bytes::Own(Contents("text.pdf"));
  EXPECT_EQ(Read(Value(file), {}, &error).size(), 3u);
}

TEST_F(DocumentPagesTest, OptionsOutsideTheirLimitsAreJobErrors) {
  EXPECT_EQ(ClassOf(FailureOf("text.pdf", {{"dpi", 601}})), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(FailureOf("text.pdf", {{"start_page", 0}})), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(FailureOf("text.pdf", {{"on_error", "null"}})), ErrorClass::kJob);
}

}  // namespace
}  // namespace mainstem
