-- Grain: one row per tenant, refresh date and row of the report (site).
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  cast(site_id as varchar) as site_id,
  site_url,
  lower(owner_principal_name) as upn_key,
  coalesce(is_deleted, false) as is_deleted,
  storage_used_byte as storage_used_bytes
from {{ source('lake', 'report_onedrive_usage_account_detail') }}
