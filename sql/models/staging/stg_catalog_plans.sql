-- Grain: one row per SKU of the product catalogue and service plan.
select
  cast(sku_id as varchar) as sku_id,
  cast(service_plan_id as varchar) as service_plan_id,
  max(service_plan_name) as service_plan_name
from {{ source('lake', 'catalog_service_plans') }}
group by 1, 2
