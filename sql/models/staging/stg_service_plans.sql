-- Grain: one row per tenant, snapshot date, SKU and service plan.
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  cast(sku_id as varchar) as sku_id,
  cast(service_plan_id as varchar) as service_plan_id,
  service_plan_name,
  provisioning_status
from {{ source('lake', 'graph_service_plans') }}
