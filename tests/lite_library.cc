// The C++ interface of MindSpore Lite 2.0 as C functions, for tests/lite_library.py, which builds it.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "include/api/context.h"
#include "include/api/model.h"
#include "include/registry/converter_context.h"

namespace mindspore {
// The wheel has no header for it; these are the symbols that libmindspore_converter.so offers.
class MS_API Converter {
 public:
  Converter();
  ~Converter() = default;
  void SetSaveType(ModelType type);
  Status Convert(converter::FmkType kind, const std::vector<char> &model,
                 const std::vector<char> &output, const std::vector<char> &weights);
  std::shared_ptr<void> data_;
};
}  // namespace mindspore

using mindspore::MSTensor;

namespace {

std::vector<char> Chars(const std::string &text) { return {text.begin(), text.end()}; }

struct Session {
  mindspore::Model model;
  std::vector<MSTensor> given;
  std::vector<MSTensor> found;
};

}  // namespace

extern "C" {

// An ONNX file as OUTPUT.mindir; 0 if that worked.
int lite_convert(const char *model, const char *output) {
  mindspore::Converter converter;
  converter.SetSaveType(mindspore::kMindIR);
  auto status = converter.Convert(mindspore::converter::kFmkTypeOnnx, Chars(model), Chars(output), {});
  return status.IsOk() ? 0 : 1;
}

// A MINDIR file, built for the CPU with one thread; NULL if that failed.
void *lite_build(const char *path) {
  auto context = std::make_shared<mindspore::Context>();
  context->SetThreadNum(1);
  context->MutableDeviceInfo().push_back(std::make_shared<mindspore::CPUDeviceInfo>());
  auto session = std::make_unique<Session>();
  auto status = session->model.Build(std::string(path), mindspore::kMindIR, context);
  return status.IsOk() ? session.release() : nullptr;
}

int lite_count_inputs(Session *session) { return session->model.GetInputs().size(); }

MSTensor *lite_input(Session *session, int index) {
  return new MSTensor(session->model.GetInputs()[index]);
}

// Which tensors the next run gets, in order.
void lite_give(Session *session, MSTensor *tensor) { session->given.push_back(*tensor); }

// Number of outputs, -1 if the run failed.
int lite_predict(Session *session) {
  auto status = session->model.Predict(session->given, &session->found);
  session->given.clear();
  return status.IsOk() ? session->found.size() : -1;
}

MSTensor *lite_output(Session *session, int index) { return new MSTensor(session->found[index]); }

void lite_name(MSTensor *tensor, char *text, int size) {
  text[tensor->Name().copy(text, size - 1)] = 0;
}

int lite_type(MSTensor *tensor) { return static_cast<int>(tensor->DataType()); }

int lite_rank(MSTensor *tensor) { return tensor->Shape().size(); }

int64_t lite_dimension(MSTensor *tensor, int axis) { return tensor->Shape()[axis]; }

uint64_t lite_bytes(MSTensor *tensor) { return tensor->DataSize(); }

void *lite_data(MSTensor *tensor) { return tensor->MutableData(); }

// The caller keeps the memory.
void lite_set_data(MSTensor *tensor, void *data) { tensor->SetData(data, false); }

}  // extern "C"
