"""What a model's present weights say about many images: their codes and the metric that they make."""

import torch

from cohortsmith.core.clustering import medoids_of_rows
from cohortsmith.core.metric import MetricField, thin
from cohortsmith.models.batches import Images, read_batch, split_batches
from cohortsmith.models.computing import device_of
from cohortsmith.models.rhvae import RHVAE
from cohortsmith.models.vae import VAE, Posterior


@torch.no_grad()
def encode_all(model: VAE, images: Images, batch_size: int) -> Posterior:
    """Give the posteriors of all images (N, *shape) under the model's present weights."""
    device, batches = device_of(model), split_batches(len(images), batch_size)
    parts = [model.posterior(read_batch(images, rows).to(device)) for rows in batches]
    return Posterior(torch.cat([part.mean for part in parts]), torch.cat([part.log_variance for part in parts]))


@torch.no_grad()
def metric_field(model: RHVAE, images: Images, batch_size: int) -> MetricField:
    """Give the metric of all images (N, *shape) under the model's present weights."""
    device, batches = device_of(model), split_batches(len(images), batch_size)
    parts = [model.field(read_batch(images, rows).to(device)) for rows in batches]
    return MetricField(
        torch.cat([part.centroids for part in parts]),
        torch.cat([part.factors for part in parts]),
        torch.as_tensor(parts[0].temperature).item(),
        torch.as_tensor(parts[0].regularization).item(),
    )


def thin_to_medoids(field: MetricField, n_centroids: int | None) -> MetricField:
    """Keep the factors of only n_centroids images, the k-medoids of the centroids (thesis 3.4.2); of all for None."""
    if n_centroids is None or n_centroids >= len(field.centroids):
        return field
    return thin(field, medoids_of_rows(field.centroids, n_centroids))
