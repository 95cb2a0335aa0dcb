// Activations, sums with a factor, layer norm and group norm.
#include <cmath>
#include <vector>

#include "rows.h"

using namespace products;

int products_activation_grad(int activation, int64_t count, const float *grad, const float *kept,
                             float *grad_source) {
  ForPieces(count, [&](int64_t at, int64_t size) {
    Choose().activation_grad(activation, size, grad + at, kept + at, grad_source + at);
  });
  return PRODUCTS_OK;
}

int products_gelu(int64_t count, const float *source, float *target) {
  ForPieces(count, [&](int64_t at, int64_t size) {
    Choose().gelu(size, source + at, target + at);
  });
  return PRODUCTS_OK;
}

int products_scaled_sum(int64_t batch, int64_t size, const float *residual, const float *branch,
                        const float *factor, float *target) {
  for (int64_t image = 0; image < batch; ++image) {
    ForPieces(size, [&](int64_t piece, int64_t count) {
      const int64_t at = image * size + piece;
      Choose().scaled_sum(count, factor[image], residual ? residual + at : nullptr, branch + at,
                          target + at);
    });
  }
  return PRODUCTS_OK;
}

int products_layer_norm(int64_t rows, int64_t channels, float epsilon, const float *source,
                        const float *gamma, const float *beta, float *target) {
  ForBlocks(rows, channels, [&](int64_t first, int64_t count, int64_t) {
    const int64_t at = first * channels;
    Choose().layer_norm(count, channels, epsilon, source + at, gamma, beta, target + at);
  });
  return PRODUCTS_OK;
}

int products_layer_norm_grad(int64_t rows, int64_t channels, float epsilon, const float *source,
                             const float *gamma, const float *grad, float *grad_source,
                             float *grad_gamma, float *grad_beta) {
  return Guard([&] {
    std::vector<float> sums(2 * channels);
    SumBlocks(rows, 2 * channels, sums.data(), [&](int64_t first, int64_t count, float *own) {
      const int64_t at = first * channels;
      Choose().layer_norm_grad(count, channels, epsilon, source + at, gamma, grad + at,
                               grad_source + at, own);
    });
    std::copy_n(sums.data(), channels, grad_gamma);
    std::copy_n(sums.data() + channels, channels, grad_beta);
  });
}

namespace {

// One image of group norm.
class Image {
 public:
  Image(const products_groups &g, float epsilon, const float *source, const float *counted)
      : g_(g), source_(source), counted_(counted), mean_(g.channels), scale_(g.channels) {
    float count = 0;
    for (int64_t cell = 0; cell < g.cells; ++cell) count += counted[cell];
    count *= static_cast<float>(Members());
    share_ = 1.0f / count;
    const Loops &loops = Choose();
    SumBlocks(g.cells, g.channels, mean_.data(), [&](int64_t first, int64_t count, float *own) {
      loops.add_weighted(count, g.channels, source + first * g.channels, counted + first, own);
    });
    ShareInGroups(&mean_);
    SumBlocks(g.cells, g.channels, scale_.data(), [&](int64_t first, int64_t count, float *own) {
      loops.add_squares(count, g.channels, source + first * g.channels, counted + first,
                        mean_.data(), own);
    });
    ShareInGroups(&scale_);
    for (float &value : scale_) value = 1.0f / std::sqrt(value + epsilon);
  }

  void Norm(const float *gamma, const float *beta, float *target) const {
    std::vector<float> factor(g_.channels), term(g_.channels);
    for (int64_t i = 0; i < g_.channels; ++i) {
      factor[i] = scale_[i] * gamma[i];
      term[i] = beta[i] - mean_[i] * factor[i];
    }
    ForBlocks(g_.cells, g_.channels, [&](int64_t first, int64_t count, int64_t) {
      const int64_t at = first * g_.channels;
      Choose().scale_rows(count, g_.channels, source_ + at, factor.data(), term.data(),
                          target + at);
    });
  }

  // Adds to the gradients of gamma and beta.
  void NormGrad(const float *gamma, const float *grad, float *grad_source, float *grad_gamma,
                float *grad_beta) const {
    const int64_t channels = g_.channels;
    const ChannelMoments moments{mean_.data(), scale_.data()};
    std::vector<float> sums(2 * channels), constant(channels), slope(channels);
    SumBlocks(g_.cells, 2 * channels, sums.data(), [&](int64_t first, int64_t count, float *own) {
      const int64_t at = first * channels;
      Choose().group_norm_sums(count, channels, moments, source_ + at, grad + at, own);
    });
    for (int64_t i = 0; i < channels; ++i) {
      grad_gamma[i] += sums[i];
      grad_beta[i] += sums[channels + i];
      slope[i] = gamma[i] * sums[i];
      constant[i] = gamma[i] * sums[channels + i];
    }
    ShareInGroups(&slope);
    ShareInGroups(&constant);
    ForBlocks(g_.cells, channels, [&](int64_t first, int64_t count, int64_t) {
      const int64_t at = first * channels;
      Choose().group_norm_grad(count, channels, moments, source_ + at, grad + at,
                               counted_ + first, gamma, constant.data(), slope.data(),
                               grad_source + at);
    });
  }

 private:
  int64_t Members() const { return g_.channels / g_.groups; }

  // Sums of channels -> mean over the counted cells of the channel's group.
  void ShareInGroups(std::vector<float> *values) const {
    for (int64_t group = 0; group < g_.groups; ++group) {
      const auto begin = values->begin() + group * Members();
      float sum = 0;
      for (auto value = begin; value != begin + Members(); ++value) sum += *value;
      std::fill_n(begin, Members(), sum * share_);
    }
  }

  products_groups g_;
  const float *source_, *counted_;
  std::vector<float> mean_, scale_;
  float share_ = 0;
};

}  // namespace

int products_group_norm(const products_groups *groups, float epsilon, const float *source,
                        const float *counted, const float *gamma, const float *beta,
                        float *target) {
  const int64_t size = groups->cells * groups->channels;
  return Guard([&] {
    for (int64_t image = 0; image < groups->batch; ++image) {
      Image(*groups, epsilon, source + image * size, counted + image * groups->cells)
          .Norm(gamma, beta, target + image * size);
    }
  });
}

int products_group_norm_grad(const products_groups *groups, float epsilon, const float *source,
                             const float *counted, const float *gamma, const float *grad,
                             float *grad_source, float *grad_gamma, float *grad_beta) {
  const int64_t size = groups->cells * groups->channels;
  return Guard([&] {
    std::fill_n(grad_gamma, groups->channels, 0.0f);
    std::fill_n(grad_beta, groups->channels, 0.0f);
    for (int64_t image = 0; image < groups->batch; ++image) {
      const int64_t at = image * size;
      Image(*groups, epsilon, source + at, counted + image * groups->cells)
          .NormGrad(gamma, grad + at, grad_source + at, grad_gamma, grad_beta);
    }
  });
}
