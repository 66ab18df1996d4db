-- Grain: one row per tenant, refresh date and row of the report.
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  lower(user_principal_name) as upn_key,
  uses_windows,
  uses_mac,
  uses_mobile,
  uses_web
from {{ source('lake', 'report_m365_app_user_detail') }}
