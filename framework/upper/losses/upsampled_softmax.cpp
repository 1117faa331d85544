#include <sectile/losses/upsampled_softmax.h>

#include <string>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <sectile/error.h>

#include "../loading/layout.h"
#include "softmax_rows.h"

#ifndef _OPENMP
#error "compile with -fopenmp: at::parallel_for would run on one thread"
#endif

namespace sectile {
namespace {

using softmax_rows::Buffers;
using softmax_rows::Mode;
using softmax_rows::Shape;
using softmax_rows::Source;
using softmax_rows::Task;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The kernel for the best instructions that the processor has.
template <Mode mode, class Number>
void rows_of_any(const Shape& shape, const std::vector<Source<Number>>& lines,
                 const std::vector<Source<Number>>& columns, std::int64_t begin, std::int64_t end, Task<Number>& task,
                 Buffers<Number>& buffers) {
  softmax_rows::rows<mode>(shape, lines, columns, begin, end, task, buffers);
}
#if defined(__x86_64__)
template <Mode mode, class Number>
__attribute__((target("avx2,fma"))) void rows_of_avx2(const Shape& shape, const std::vector<Source<Number>>& lines,
                                                      const std::vector<Source<Number>>& columns, std::int64_t begin,
                                                      std::int64_t end, Task<Number>& task, Buffers<Number>& buffers) {
  softmax_rows::rows<mode>(shape, lines, columns, begin, end, task, buffers);
}
template <Mode mode, class Number>
__attribute__((target("avx512f,avx512dq,fma"))) void rows_of_avx512(const Shape& shape,
                                                                    const std::vector<Source<Number>>& lines,
                                                                    const std::vector<Source<Number>>& columns,
                                                                    std::int64_t begin, std::int64_t end,
                                                                    Task<Number>& task, Buffers<Number>& buffers) {
  softmax_rows::rows<mode>(shape, lines, columns, begin, end, task, buffers);
}
#endif

template <Mode mode, class Number>
auto kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return rows_of_avx512<mode, Number>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return rows_of_avx2<mode, Number>;
#endif
  return rows_of_any<mode, Number>;
}

// Rows of logits that one task has, whatever the number of threads: sums and gradients are then always added in the
// same order. A task also writes the gradient of the row after its last one, which is added afterwards.
constexpr std::int64_t kRowsOfTask = 8;

template <class Number>
struct Plan {
  Shape shape;
  std::vector<Source<Number>> lines, columns;
  std::vector<std::int64_t> first_line;  // of each task of an image, and the end
  std::int64_t tasks_per_image;

  Plan(const at::Tensor& logits, const at::Tensor& labels)
      : shape{logits.size(0), logits.size(1), logits.size(2), logits.size(3), labels.size(1), labels.size(2), 0} {
    constexpr auto lanes = softmax_rows::kLanes<Number>;
    shape.padded = (shape.classes + lanes - 1) / lanes * lanes;
    lines = softmax_rows::sources<Number>(shape.height, shape.label_height);
    columns = softmax_rows::sources<Number>(shape.width, shape.label_width);
    tasks_per_image = (shape.height + kRowsOfTask - 1) / kRowsOfTask;
    std::int64_t line = 0;
    for (std::int64_t task = 0; task <= tasks_per_image; ++task) {
      while (line < shape.label_height && lines[static_cast<std::size_t>(line)].from < task * kRowsOfTask) ++line;
      first_line.push_back(line);
    }
  }
  std::int64_t tasks() const { return shape.images * tasks_per_image; }
};

at::Tensor channels_last(const at::Tensor& logits) {  // [N, h, w, C], contiguous
  return logits.detach().permute({0, 2, 3, 1}).contiguous();
}

// [w, padded classes] to where a row's classes and pixels are so far apart.
template <class Number>
void copy_row(const Shape& shape, const Number* from, Number* to, std::int64_t class_stride,
              std::int64_t pixel_stride) {
  if (class_stride == 1) {
    for (std::int64_t x = 0; x < shape.width; ++x)
      std::copy_n(from + x * shape.padded, shape.classes, to + x * pixel_stride);
    return;
  }
  for (std::int64_t c = 0; c < shape.classes; ++c)
    for (std::int64_t x = 0; x < shape.width; ++x) to[c * class_stride + x * pixel_stride] = from[x * shape.padded + c];
}

// Runs all tasks. prepare(task, image): sets what the mode needs; finish(task, image, index) is called in the order of
// tasks. Returns the gradient [N, C, h, w], in memory as the logits are, if it is asked for.
template <Mode mode, class Number, class Prepare, class Finish>
at::Tensor run(const Plan<Number>& plan, const at::Tensor& logits, const at::Tensor& labels, bool with_gradient,
               Prepare prepare, Finish finish) {
  const auto& shape = plan.shape;
  const auto values = channels_last(logits), numbers = labels.contiguous();
  const auto* first = values.template const_data_ptr<Number>();
  const auto* first_label = numbers.template const_data_ptr<std::int64_t>();
  at::Tensor gradient, borders;
  const auto of_row = shape.width * shape.classes;
  if (with_gradient) {
    gradient = at::empty_like(logits.detach());
    borders = at::zeros({plan.tasks(), shape.width, shape.classes}, values.options());
  }
  std::vector<Task<Number>> tasks(static_cast<std::size_t>(plan.tasks()));
  const auto compute = kernel<mode, Number>();
  at::parallel_for(0, plan.tasks(), 1, [&](std::int64_t begin, std::int64_t end) {
    Buffers<Number> buffers(shape);
    std::vector<Number> own;
    for (auto index = begin; index < end; ++index) {
      const auto image = index / plan.tasks_per_image, part = index % plan.tasks_per_image;
      auto& task = tasks[static_cast<std::size_t>(index)];
      task.logits = first + image * shape.height * of_row;
      task.labels = first_label + image * shape.label_height * shape.label_width;
      task.first_row = part * kRowsOfTask;
      const auto rows = std::min(kRowsOfTask, shape.height - task.first_row);
      prepare(task, image, index);
      if (with_gradient) {
        own.assign(static_cast<std::size_t>((rows + 1) * shape.width * shape.padded), Number(0));
        task.gradient = own.data();
      }
      compute(shape, plan.lines, plan.columns, plan.first_line[static_cast<std::size_t>(part)],
              plan.first_line[static_cast<std::size_t>(part + 1)], task, buffers);
      if (!with_gradient) continue;
      for (std::int64_t row = 0; row <= rows; ++row) {
        const auto* from = own.data() + row * shape.width * shape.padded;
        if (row < rows)
          copy_row(shape, from,
                   gradient.template mutable_data_ptr<Number>() + image * gradient.stride(0) +
                       (task.first_row + row) * gradient.stride(2),
                   gradient.stride(1), gradient.stride(3));
        else
          copy_row(shape, from, borders.template mutable_data_ptr<Number>() + index * of_row, 1, shape.classes);
      }
    }
  });
  for (std::int64_t index = 0; index < plan.tasks(); ++index) {
    const auto& task = tasks[static_cast<std::size_t>(index)];
    if (task.wrong_label >= 0)
      throw PluginError("loss", "the labels have the class number " + std::to_string(task.wrong_label) +
                                    ", and the logits " + std::to_string(shape.classes) + " classes");
    finish(task, index / plan.tasks_per_image, index);
    if (with_gradient && (index + 1) % plan.tasks_per_image != 0)
      gradient.select(0, index / plan.tasks_per_image)
          .select(1, (index % plan.tasks_per_image + 1) * kRowsOfTask)
          .add_(borders[index].t());
  }
  return gradient;
}

template <class Number>
std::vector<Number> padded(const at::Tensor& values, std::int64_t size) {
  const auto wide = values.to(at::kCPU, at::kDouble).contiguous();
  std::vector<Number> all(static_cast<std::size_t>(size), Number(0));
  for (std::int64_t i = 0; i < wide.numel(); ++i)
    all[static_cast<std::size_t>(i)] = static_cast<Number>(wide.const_data_ptr<double>()[i]);
  return all;
}

// The gradients are computed outside of autograd. With create_graph, they would be constants to a second derivative,
// which would lack what the logits add to it.
void refuse_second_derivative() {
  if (at::GradMode::is_enabled())
    throw PluginError("loss",
                      "has no second derivative where the logits are smaller than the labels: call backward without "
                      "create_graph, or resize the logits before the loss");
}

struct CrossEntropyOf {
  double sum = 0, total = 0;
  at::Tensor gradient;
};
template <class Number>
CrossEntropyOf cross_entropy_of(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                                double smoothing, bool with_gradient) {
  const Plan<Number> plan(logits, labels);
  const auto all = weights.defined() ? weights : at::full({plan.shape.classes}, 1, at::kDouble);
  const auto of_classes = padded<Number>(all, plan.shape.padded);
  const auto weight_sum = static_cast<Number>(all.sum().template item<double>());
  CrossEntropyOf made;
  made.gradient = run<Mode::cross_entropy>(
      plan, logits, labels, with_gradient,
      [&](Task<Number>& task, std::int64_t, std::int64_t) {
        task.weights = of_classes.data();
        task.weight_sum = weight_sum, task.smoothing = static_cast<Number>(smoothing);
      },
      [&](const Task<Number>& task, std::int64_t, std::int64_t) { made.sum += task.sum, made.total += task.total; });
  return made;
}

struct CrossEntropySum : torch::autograd::Function<CrossEntropySum> {
  static variable_list forward(AutogradContext* context, const at::Tensor& logits, const at::Tensor& labels,
                               const std::optional<at::Tensor>& weights, double smoothing, bool with_gradient) {
    const auto of = logits.scalar_type() == at::kDouble ? cross_entropy_of<double> : cross_entropy_of<float>;
    auto made = of(logits, labels, weights.value_or(at::Tensor()), smoothing, with_gradient);
    const auto sum = at::full({}, made.sum, logits.options()), total = at::full({}, made.total, logits.options());
    context->mark_non_differentiable({total});
    if (with_gradient) context->saved_data["gradient"] = made.gradient;
    return {sum, total};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative();
    return {context->saved_data["gradient"].toTensor() * gradients[0], {}, {}, {}, {}};
  }
};

template <class Number>
void areas_of(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& overlap,
              const at::Tensor& predicted) {
  const Plan<Number> plan(logits, labels);
  const auto classes = plan.shape.classes;
  std::vector<double> sums(static_cast<std::size_t>(plan.tasks() * 2 * classes), 0);
  run<Mode::areas>(
      plan, logits, labels, /*with_gradient=*/false,
      [&](Task<Number>& task, std::int64_t, std::int64_t index) {
        task.overlap = sums.data() + index * 2 * classes;
        task.predicted = task.overlap + classes;
      },
      [&](const Task<Number>& task, std::int64_t image, std::int64_t) {
        for (std::int64_t c = 0; c < classes; ++c) {
          overlap.mutable_data_ptr<double>()[image * classes + c] += task.overlap[c];
          predicted.mutable_data_ptr<double>()[image * classes + c] += task.predicted[c];
        }
      });
}

template <class Number>
at::Tensor gradient_of_areas(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& of_overlap,
                             const at::Tensor& of_predicted) {
  const Plan<Number> plan(logits, labels);
  std::vector<std::vector<Number>> overlap, predicted;
  for (std::int64_t n = 0; n < plan.shape.images; ++n) {
    overlap.push_back(padded<Number>(of_overlap[n], plan.shape.padded));
    predicted.push_back(padded<Number>(of_predicted[n], plan.shape.padded));
  }
  return run<Mode::areas_backward>(
      plan, logits, labels, /*with_gradient=*/true,
      [&](Task<Number>& task, std::int64_t image, std::int64_t) {
        task.of_overlap = overlap[static_cast<std::size_t>(image)].data();
        task.of_predicted = predicted[static_cast<std::size_t>(image)].data();
      },
      [](const Task<Number>&, std::int64_t, std::int64_t) {});
}

// Probabilities are computed twice, in each direction, instead of being kept.
struct Areas : torch::autograd::Function<Areas> {
  static variable_list forward(AutogradContext* context, const at::Tensor& logits, const at::Tensor& labels) {
    const auto overlap = at::zeros({logits.size(0), logits.size(1)}, logits.options().dtype(at::kDouble));
    const auto predicted = at::zeros_like(overlap);
    (logits.scalar_type() == at::kDouble ? areas_of<double> : areas_of<float>)(logits, labels, overlap, predicted);
    context->save_for_backward({logits, labels});
    return {overlap, predicted};
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative();
    const auto saved = context->get_saved_variables();
    const auto of = saved[0].scalar_type() == at::kDouble ? gradient_of_areas<double> : gradient_of_areas<float>;
    return {of(saved[0], saved[1], gradients[0], gradients[1]), {}};
  }
};

}  // namespace

at::Tensor resized_logits(const at::Tensor& logits, at::IntArrayRef size) { return interpolate(logits, size); }

bool takes_upsampled_softmax(const at::Tensor& logits, const at::Tensor& labels) {
  if (!logits.is_cpu() || !labels.is_cpu() || logits.dim() != 4 || labels.dim() != 3) return false;
  if (labels.scalar_type() != at::kLong || logits.size(0) != labels.size(0)) return false;
  const auto size = logits.sizes().slice(2), wanted = labels.sizes().slice(1);
  return size != wanted && size[0] <= wanted[0] && size[1] <= wanted[1] && logits.numel() > 0;
}

UpsampledCrossEntropy upsampled_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                                              const at::Tensor& weights, double smoothing) {
  const bool with_gradient = at::GradMode::is_enabled() && logits.requires_grad();
  const auto made = CrossEntropySum::apply(
      logits, labels, weights.defined() ? std::optional<at::Tensor>(weights) : std::nullopt, smoothing, with_gradient);
  return {made[0], made[1]};
}

UpsampledAreas upsampled_areas(const at::Tensor& logits, const at::Tensor& labels) {
  const auto made = Areas::apply(logits, labels);
  return {made[0], made[1]};
}

}  // namespace sectile
