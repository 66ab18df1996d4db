-- Grain: one row per held managed licence (user x SKU) and service it entitles.
{{ config(materialized='view') }}
select
  tenant_id,
  user_id,
  sku_id,
  service,
  last_activity_date,
  days_since_last_activity,
  activity_status
from {{ ref('int_license_activity') }}
where activity_basis = 'service'
