-- Grain: one row per tenant, snapshot date and commercial subscription.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(id as varchar) as subscription_id,
  cast(sku_id as varchar) as sku_id,
  status,
  total_licenses as total_units,
  coalesce(is_trial, false) as is_trial,
  cast(next_lifecycle_date_time as date) as next_lifecycle_date
from {{ source('lake', 'graph_subscriptions') }}
