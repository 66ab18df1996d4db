-- Grain: one row per tenant, refresh date and row of the report (user x product).
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  lower(user_principal_name) as upn_key,
  product_type,
  coalesce(windows, 0) + coalesce(mac, 0) + coalesce(windows_10_mobile, 0) + coalesce(ios, 0) + coalesce(android, 0) as activations,
  coalesce(windows, 0) + coalesce(mac, 0) as desktop_activations,
  coalesce(activated_on_shared_computer, false) as is_shared_computer,
  last_activated_date
from {{ source('lake', 'report_office365_activations_user_detail') }}
